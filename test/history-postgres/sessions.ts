import type { SessionActivityEvent } from "../../src/index.js";
import { eventOf, type Told } from "../history/fixtures.js";
import type { Random } from "./random.js";

/** A session: what happened in it, in no order. */
export interface Session {
  readonly id: string;
  /** Empty for none. */
  readonly user: string;
  readonly happened: readonly Told[];
}

const countries = ["DE", "FR", "IT"];
const devices = ["phone", "laptop"];
/** What the order of bytes and the orders of languages put in different places. */
const idEnds = ["a", "B", "b", "A", "é", "z", "Z", "_", "-", "ß", "10", "9", "ﬀ", "😀"];
const firstAt = Date.UTC(2025, 0, 1);

/**
 * Generates sessions of one to six activities. There are few times and few values, so that many begin in the same
 * millisecond and many values come back; some calls take long, some say nothing about one of the signals.
 */
export function generateSessions(random: Random, prefix: string, count: number): Session[] {
  return Array.from({ length: count }, (_, number) => {
    const id = `${prefix}-${number}`;
    const user = random.pick(["", `user of ${id}`]);
    const ends = random.shuffle(idEnds);
    const happened = Array.from({ length: 1 + random.below(6) }, (__, index): Told => {
      const at = firstAt + number + random.below(5);
      return {
        id: `${ends[index]}/${id}`,
        at,
        until: at + random.pick([0, 1, 3, 60_000]),
        session: id,
        user,
        ...(random.below(5) > 0 && { country: random.pick(countries) }),
        // Never nothing at all.
        device: random.pick(devices),
      };
    });
    return { id, user, happened };
  });
}

/** Every activity at least once and up to three times, all sessions mixed, in batches of all sizes. */
export function deliveriesOf(sessions: readonly Session[], random: Random, largest = 300): SessionActivityEvent[][] {
  const all = sessions.flatMap(({ happened }) =>
    happened.flatMap((told) => {
      const event = eventOf(told);
      return Array.from({ length: random.pick([1, 1, 2, 3]) }, () => event);
    }),
  );
  return batchesOf(random.shuffle(all), random, largest);
}

/** Cuts a list at random. */
export function batchesOf<T>(list: readonly T[], random: Random, largest: number): T[][] {
  const batches: T[][] = [];
  for (let from = 0; from < list.length; ) {
    const size = random.pick([1, 1 + random.below(10), 1 + random.below(largest)]);
    batches.push(list.slice(from, from + size));
    from += size;
  }
  return batches;
}
