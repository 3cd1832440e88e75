import { Code, ConnectError } from "@connectrpc/connect";
import { names, type StatusName } from "./status-names.js";

export { type ActivityStatus, type StatusName, statusNames, unsettled } from "./status-names.js";

/** The code of a call that ended well. Connect's `Code` has none, on the wire of gRPC it is 0. */
export const codeOk = 0;

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
