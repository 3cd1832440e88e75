import { type ActivityStatus, statusName, unsettled } from "../contract/status.js";
import type { Minute } from "./messages.js";

interface Counts {
  readonly byStatus: Map<string, number>;
  unverified: number;
  dropped: number;
}

const minuteMs = 60_000;
const keptMinutes = 60;
/** The statuses that are told apart. Anybody who may write to the topic could make up others. */
const statuses: ReadonlySet<string> = new Set<ActivityStatus>([
  ...Array.from({ length: 17 }, (_, code) => statusName(code)),
  unsettled,
]);

/** Counts what came in each of the last sixty minutes. */
export class Minutes {
  readonly #counts: Map<number, Counts> = new Map();

  /** A call ended, and its event came. */
  add(endedAt: number, status: string, isUnverified: boolean, now: number): void {
    const counts = this.#at(endedAt, now);
    const name = statuses.has(status) ? status : status === "" ? "INTERRUPTED" : "OTHER";
    counts.byStatus.set(name, (counts.byStatus.get(name) ?? 0) + 1);
    if (isUnverified) counts.unverified += 1;
  }

  /** A run has declared losses. */
  addDropped(losses: number, now: number): void {
    if (losses > 0) this.#at(now, now).dropped += losses;
  }

  list(now: number): Minute[] {
    const first = minuteOf(now) - (keptMinutes - 1) * minuteMs;
    return [...this.#counts]
      .filter(([at]) => at >= first)
      .sort(([a], [b]) => a - b)
      .map(([at, { byStatus, unverified, dropped }]) => ({
        at,
        byStatus: Object.fromEntries(byStatus),
        unverified,
        dropped,
      }));
  }

  /** What is older than an hour, or in the future by somebody's clock, counts in the minute in which it came. */
  #at(time: number, now: number): Counts {
    const isRecent = time <= now && time > now - (keptMinutes - 1) * minuteMs;
    const at = minuteOf(isRecent ? time : now);
    let counts = this.#counts.get(at);
    if (counts === undefined) {
      counts = { byStatus: new Map(), unverified: 0, dropped: 0 };
      this.#counts.set(at, counts);
      for (const old of this.#counts.keys()) if (old <= now - keptMinutes * minuteMs) this.#counts.delete(old);
    }
    return counts;
  }
}

function minuteOf(time: number): number {
  return Math.floor(time / minuteMs) * minuteMs;
}
