import type { Random } from "../support/random.js";
import type { Told } from "./history-fixtures.js";

/** A session: what happened in it, in no order. */
export interface Session {
  readonly id: string;
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
    return { id, happened };
  });
}

/** Generates sessions of an hour, with values that stay for a while. A call takes up to 30 s. */
export function generateLongSessions(random: Random, count: number): Session[] {
  return Array.from({ length: count }, (_, number) => {
    const id = `session-${number}`;
    let [country, device] = ["DE", "phone"];
    const happened = Array.from({ length: 30 }, (__, index): Told => {
      if (random.below(6) === 0) country = random.pick(countries);
      if (random.below(6) === 0) device = random.pick(devices);
      // Here and there, two begin in the same moment.
      const at = firstAt + 5_000 * random.below(720);
      return { id: `${id}/${index}`, at, until: at + random.below(30_000), session: id, country, device };
    });
    return { id, happened };
  });
}

/** Every activity at least once and up to three times, all sessions mixed, in batches of all sizes. */
export function deliveriesOf(sessions: readonly Session[], random: Random, largest = 300): Told[][] {
  const all = sessions
    .flatMap(({ happened }) => happened)
    .flatMap((told) => Array.from({ length: random.pick([1, 1, 2, 3]) }, () => told));
  return batchesOf(random.shuffle(all), random, largest);
}

/** Everything as it comes while it happens: within 25 s after its end, and some of it twice. */
export function arrivalsOf(sessions: readonly Session[], random: Random): Told[] {
  return sessions
    .flatMap(({ happened }) => happened)
    .flatMap((told) => Array.from({ length: random.pick([1, 1, 2]) }, () => told))
    .map((told) => ({ told, at: told.until! + random.below(25_000) }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ told }) => told);
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
