/**
 * How something is.
 *
 * - `good`: it was looked at, and is as it should be
 * - `bad`: somebody has to act
 * - `warning`: it works, and will not always
 * - `unchecked`: this client cannot see it
 */
export type FindingKind = "good" | "bad" | "warning" | "unchecked";

/** What was looked at, how it is, and what to do. */
export interface Finding {
  readonly kind: FindingKind;
  /** What was looked at, in a word or two. */
  readonly subject: string;
  /** How it is, in one sentence. It holds no secret. */
  readonly says: string;
  /** What to do about it, or by which command it can be seen. */
  readonly advice?: string | undefined;
}

/** Something that is as it should be. */
export function good(subject: string, says: string): Finding {
  return { kind: "good", subject, says };
}

/** Something that somebody has to act on. */
export function bad(subject: string, says: string, advice: string): Finding {
  return { kind: "bad", subject, says, advice };
}

/** Something that works, and will not always. */
export function warning(subject: string, says: string, advice: string): Finding {
  return { kind: "warning", subject, says, advice };
}

/** Something that this client cannot see, and the command that shows it. */
export function unchecked(subject: string, says: string, advice: string): Finding {
  return { kind: "unchecked", subject, says, advice };
}
