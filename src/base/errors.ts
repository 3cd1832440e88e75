/**
 * Whether a value is an error, be it one of another realm: in Jest's ESM, what Node throws is not an `instanceof` the `Error`
 * that tests and this package see. Node 22 has no `Error.isError`.
 */
export function isError(value: unknown): value is Error {
  return value instanceof Error || /^\[object (Error|DOMException)\]$/.test(Object.prototype.toString.call(value));
}

/** The message of an error, or whatever else was thrown as text. */
export function errorMessage(error: unknown): string {
  return isError(error) ? error.message : String(error);
}

/** The name of an error, for a log if the message may quote an event. The type of anything else that was thrown. */
export function errorName(error: unknown): string {
  return isError(error) ? error.name : typeof error;
}

/** The code of an error of Node's or of a library, such as `ECONNRESET`. Undefined if it has none. */
export function errorCode(error: unknown): string | undefined {
  return isError(error) && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/**
 * What the log may say of an error that a user's function threw: its name, its code, and the place that it comes from. Its
 * message may quote an event, and with it a session context.
 */
export function describeFailure(error: unknown): { error: string; code?: string; at?: string } {
  try {
    return describe(error);
  } catch {
    // Properties of what a user's function throws may throw in turn, or not be what they are by their type.
    return { error: "unknown" };
  }
}

function describe(error: unknown): { error: string; code?: string; at?: string } {
  if (!isError(error)) return { error: typeof error };
  const code = "code" in error && /^[\w.-]{1,64}$/.test(String(error.code)) ? String(error.code) : undefined;
  const at = /^ {4}at (.*:\d+:\d+\)?)$/m.exec(error.stack?.replace(error.message, "") ?? "")?.[1];
  return { error: error.name, ...(code === undefined ? {} : { code }), ...(at === undefined ? {} : { at }) };
}
