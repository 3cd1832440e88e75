import { Code, ConnectError } from "@connectrpc/connect";
import { errorCode } from "../base/error-code.js";

// What Node says when it writes to a caller that has left.
const writeErrors = new Set([
  "ECANCELED",
  "ECONNRESET",
  "EPIPE",
  "ERR_HTTP2_INVALID_STREAM",
  "ERR_HTTP2_STREAM_CANCEL",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_PREMATURE_CLOSE",
  "ERR_STREAM_WRITE_AFTER_END",
]);

/** Whether this error came from writing to a caller that has left. */
export function isWriteToGonePeer(error: unknown): boolean {
  return writeErrors.has(errorCode(error) ?? "");
}

/** Whether the reason of an abort says that the caller has left. An AbortError does not: see caller-by-signal.ts. */
export function isPeerGone(reason: unknown): boolean {
  return (
    reason instanceof ConnectError &&
    (reason.code === Code.Canceled ||
      reason.code === Code.Aborted ||
      reason.rawMessage.startsWith("http/2 stream closed"))
  );
}

/** Whether the reason of an abort is the call's deadline. */
export function isDeadline(reason: unknown): boolean {
  return reason instanceof ConnectError && reason.code === Code.DeadlineExceeded;
}

/** The deadline that the caller set, in milliseconds, or Infinity. */
export function timeoutMs(header: Headers): number {
  const connect = header.get("connect-timeout-ms");
  if (connect !== null) return Number(connect);
  const grpc = /^(\d{1,8})([HMSmun])$/.exec(header.get("grpc-timeout") ?? "");
  return grpc === null ? Number.POSITIVE_INFINITY : Number(grpc[1]) * (unitMs.get(grpc[2]) ?? 1);
}

const unitMs = new Map<string | undefined, number>([
  ["H", 3_600_000],
  ["M", 60_000],
  ["S", 1_000],
  ["m", 1],
  ["u", 1e-3],
  ["n", 1e-6],
]);

/**
 * What a caller saw who left after so many milliseconds: its deadline, or its own cancellation.
 *
 * The caller's clock started before ours, and its reset says nothing reliable about the cause, so a caller that left at
 * about its deadline left because of it: within 25 ms, or a tenth of the deadline where that is more.
 */
export function codeOfGonePeer(header: Headers, elapsedMs: number): Code {
  const timeout = timeoutMs(header);
  return elapsedMs >= timeout - Math.max(25, timeout / 10) ? Code.DeadlineExceeded : Code.Canceled;
}
