import type { HeaderValues } from "./headers.js";

/** google.protobuf.Duration holds 10,000 years, and a header may say more. */
const maxMs = 315_576_000_000_000;

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/**
 * The deadline that the caller set, in milliseconds from the start of its call, or undefined without one.
 *
 * Connect: https://connectrpc.com/docs/protocol#unary-request, gRPC:
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. What is not well-formed counts as none: Connect refuses it.
 */
export function readTimeoutMs(header: HeaderValues): number | undefined {
  return parseTimeoutMs(header.get(timeoutHeaders.connect), header.get(timeoutHeaders.grpc));
}

/** The headers that say a deadline. */
export const timeoutHeaders = { connect: "connect-timeout-ms", grpc: "grpc-timeout" } as const;

/** The same, of the values of the two headers. */
export function parseTimeoutMs(connect: unknown, grpc: unknown): number | undefined {
  if (typeof connect === "string") return /^\d{1,10}$/.test(connect) ? Number(connect) : undefined;
  if (typeof grpc !== "string") return undefined;
  const [, value, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(grpc) ?? [];
  return value === undefined ? undefined : Math.min(maxMs, Number(value) * (unitMs[unit] ?? 1));
}

/**
 * Which attempt of the caller's call this is: 1, 2, 3 …, or undefined if nobody says so.
 *
 * gRPC clients count the attempts before this one: https://github.com/grpc/proposal/blob/master/A6-client-retries.md. Envoy
 * counts this one, if it is asked to: `include_request_attempt_count`.
 */
export function readAttempt(header: HeaderValues): number | undefined {
  const before = header.get("grpc-previous-rpc-attempts");
  if (before !== null && /^\d{1,4}$/.test(before)) return Number(before) + 1;
  const attempt = header.get("x-envoy-attempt-count");
  return attempt !== null && /^[1-9]\d{0,3}$/.test(attempt) ? Number(attempt) : undefined;
}
