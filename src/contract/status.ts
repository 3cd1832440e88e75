import { Code, ConnectError } from "@connectrpc/connect";

/** The code of a call that ended well. Connect's `Code` has none, on the wire of gRPC it is 0. */
export const codeOk = 0;

/** Stands for a status that was not known when the service stopped waiting for it. */
export const unsettled = "UNSETTLED";

// The names of https://grpc.github.io/grpc/core/md_doc_statuscodes.html, at the index of their code.
const names = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
] as const;

/** The gRPC name of a status: `OK`, `CANCELLED`, `DEADLINE_EXCEEDED` and so on. */
export type StatusName = (typeof names)[number];

/**
 * What the `status` and the `handler_status` of an event can be: the gRPC name of a status, or `UNSETTLED` if it was not known
 * when the service stopped waiting for it.
 *
 * Both can be empty, too: `status` if the process died inside the call, and `handler_status` if it is the same as `status`.
 */
export type ActivityStatus = StatusName | typeof unsettled;

/**
 * The gRPC name of a code: `OK` for undefined and 0, and `UNKNOWN` for a number that is not a code, as clients read it.
 *
 * @example statusName(Code.PermissionDenied) // "PERMISSION_DENIED"
 */
export function statusName(code: number | undefined): StatusName {
  return code === undefined ? "OK" : (names[code] ?? "UNKNOWN");
}

/**
 * The code that the caller receives when a handler or an inner interceptor throws this value, over all three protocols.
 *
 * Not `ConnectError.from`: that gives plain errors UNKNOWN, and an AbortError CANCELLED, where the wire says INTERNAL.
 */
export function wireCode(thrown: unknown): Code {
  try {
    return thrown instanceof ConnectError ? thrown.code : Code.Internal;
  } catch {
    // Connect asks the same, and fails over a value whose properties throw.
    return Code.Internal;
  }
}

/** Every status that an event can have, but for none at all. */
export const statusNames: readonly ActivityStatus[] = [...names, unsettled];
