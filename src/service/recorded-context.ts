/**
 * What an event records in place of a session context, or undefined where the service's `recordContext` does not give it:
 * then nothing is recorded, for the original is what the service wants to keep out.
 */
export function recordedContext(
  context: string,
  recordContext: (context: string) => string,
  maxBytes: number,
): string | undefined {
  if (context === "") return "";
  try {
    const recorded: unknown = recordContext(context);
    if (typeof recorded === "string") return Buffer.byteLength(recorded) <= maxBytes ? recorded : undefined;
    // Async in spite of its type: its rejection must not end the process.
    if (recorded instanceof Promise) recorded.catch(() => {});
  } catch {
    // The error could quote the context.
  }
  return undefined;
}
