import { Code, ConnectError } from "@connectrpc/connect";
import { errorCode } from "../base/errors.js";

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

/** Whether this is an AbortError, by its name: in Jest's realms, and with two copies of a class, classes differ. */
export function isAbortError(reason: unknown): boolean {
  return typeof reason === "object" && reason !== null && "name" in reason && reason.name === "AbortError";
}

/** Whether the reason of an abort is the call's deadline. */
export function isDeadline(reason: unknown): boolean {
  return reason instanceof ConnectError && reason.code === Code.DeadlineExceeded;
}

/** What proxies add. Its absence proves nothing. */
const proxyHeaders = [
  "via",
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "x-request-id",
  "x-envoy-expected-rq-timeout-ms",
  "x-real-ip",
];

/** Whether Connect's client for JavaScript seems to have sent this itself, and not through a proxy. */
export function isConnectEs(header: Headers): boolean {
  if (!header.get("user-agent")?.startsWith("connect-es/")) return false;
  return !proxyHeaders.some((name) => header.has(name));
}
