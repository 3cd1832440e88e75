import type { JSX } from "preact";

/** A time as all others read it, too: in UTC. */
export function timeText(ms: number): string {
  // A stranger may have sent one that no calendar has.
  if (!(Math.abs(ms) <= 8.64e15)) return "at no valid time";
  return new Date(ms).toISOString().replace("T", " ");
}

/** A moment. */
export function Time({ ms }: { ms: number }): JSX.Element {
  return <time>{timeText(ms)}</time>;
}
