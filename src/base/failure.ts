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
  if (!(error instanceof Error)) return { error: typeof error };
  const code = "code" in error && /^[\w.-]{1,64}$/.test(String(error.code)) ? String(error.code) : undefined;
  const at = /^ {4}at (.*:\d+:\d+\)?)$/m.exec(error.stack?.replace(error.message, "") ?? "")?.[1];
  return { error: error.name, ...(code === undefined ? {} : { code }), ...(at === undefined ? {} : { at }) };
}
