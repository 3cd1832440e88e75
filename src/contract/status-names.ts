// Imports nothing, so that a page in a browser can have the names, too.

/** Stands for a status that was not known when the service stopped waiting for it. */
export const unsettled = "UNSETTLED";

// The names of https://grpc.github.io/grpc/core/md_doc_statuscodes.html, at the index of their code.
export const names = [
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

/** Every status that an event can have, but for none at all. */
export const statusNames: readonly ActivityStatus[] = [...names, unsettled];
