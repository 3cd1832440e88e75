import type { EventRecord } from "../publishing/event-record.js";

/** So exact is the age. A spool may hold millions of events for days: only how many began in each such time is kept. */
const stepMs = 10_000;

/** Knows how old the oldest of many events is, without keeping them. */
export class OldestEntry {
  /** How many events are there whose call began in a step. */
  readonly #counts: Map<number, number> = new Map();

  add(record: EventRecord): void {
    this.#change(record, 1);
  }

  /** Must be given what was added. */
  remove(record: EventRecord): void {
    this.#change(record, -1);
  }

  /** How long ago the call of the oldest one began, in milliseconds and at least. 0 if there is none. It looks at all steps. */
  ageMs(now: number = Date.now()): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const step of this.#counts.keys()) oldest = Math.min(oldest, step);
    return oldest === Number.POSITIVE_INFINITY ? 0 : Math.max(0, now - (oldest + 1) * stepMs);
  }

  #change({ startedAtMs }: EventRecord, by: number): void {
    // Events of an interceptor have a start. Without one, nobody knows the age.
    if (startedAtMs === undefined) return;
    const step = Math.floor(startedAtMs / stepMs);
    const count = (this.#counts.get(step) ?? 0) + by;
    if (count === 0) this.#counts.delete(step);
    else this.#counts.set(step, count);
  }
}
