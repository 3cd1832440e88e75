import type { SignalHistory } from "../../src/history/index.js";
import type { SessionActivityEvent } from "../../src/index.js";
import { seededRandom } from "../support/random.js";
import { eventOf, type Told } from "./fixtures.js";

/** A change, as far as tests compare it: `signal=value by event`. */
export type Line = string;

/**
 * What the history of a session must be, by another way than the database's: all that was ever said, in the order in which it
 * was true, and a line wherever a value is not the one before.
 */
export function modelOf(told: readonly Told[]): Line[] {
  const inOrder = [...new Map(told.map((one) => [one.id, one])).values()].sort(
    (a, b) => a.at - b.at || (a.id < b.id ? -1 : 1),
  );
  const known: Record<string, string> = {};
  return inOrder.flatMap(({ id, country, device, user }) =>
    Object.entries({ country, device_id: device, user_id: user }).flatMap(([signal, value]) => {
      if (value === undefined || known[signal] === value) return [];
      known[signal] = value;
      return [`${signal}=${value} by ${id}`];
    }),
  );
}

/** The history of a session, as the database has it. */
export async function linesOf(history: SignalHistory, session: string): Promise<Line[]> {
  return (await history.history(session)).map(({ signal, value, eventId }) => `${signal}=${value} by ${eventId}`);
}

/** Compares with the latest row, as one would at first. It is wrong, and the tests must notice it. */
export function createNaiveHistory(): { record(event: Told): void; lines(): Line[] } {
  const latest: Record<string, string> = {};
  const lines: Line[] = [];
  const seen = new Set<string>();
  return {
    record({ id, country, device, user }) {
      if (seen.has(id)) return;
      seen.add(id);
      for (const [signal, value] of Object.entries({ country, device_id: device, user_id: user })) {
        if (value === undefined || latest[signal] === value) continue;
        latest[signal] = value;
        lines.push(`${signal}=${value} by ${id}`);
      }
    },
    lines: () => lines,
  };
}

/** A session, and the deliveries of its events: each at least once, in any order. */
export interface RandomSession {
  readonly session: string;
  readonly told: readonly Told[];
  readonly deliveries: readonly SessionActivityEvent[];
}

/** Sessions of 1 to 9 events with few values and few moments, so that values come back and moments are the same. */
export function* randomSessions(
  count: number,
  seed: number,
  prefix: string = `random-${seed}`,
): Generator<RandomSession> {
  const random = seededRandom(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  for (let number = 0; number < count; number += 1) {
    const session = `${prefix}-${number}`;
    const told: Told[] = Array.from({ length: 1 + Math.floor(random() * 9) }, (_, index) => {
      const at = 1_000_000 + Math.floor(random() * 8) * 1_000;
      return {
        // Ids are in no order with time.
        id: `${session}-${Math.floor(random() * 1e9).toString(36)}-${index}`,
        at,
        until: at + Math.floor(random() * 9_000),
        session,
        ...sometimes("country", random, () => pick(["DE", "FR", "IT"])),
        ...sometimes("device", random, () => pick(["phone", "laptop"])),
        ...sometimes("user", random, () => "ada"),
      };
    });
    const deliveries = [...told, ...told.filter(() => random() < 0.4)];
    for (let left = deliveries.length; left > 1; left -= 1) {
      const other = Math.floor(random() * left);
      [deliveries[left - 1], deliveries[other]] = [deliveries[other] as Told, deliveries[left - 1] as Told];
    }
    yield { session, told, deliveries: deliveries.map(eventOf) };
  }
}

function sometimes<K extends string>(
  key: K,
  random: () => number,
  value: () => string,
): { readonly [name in K]?: string } {
  return random() < 0.7 ? ({ [key]: value() } as { readonly [name in K]?: string }) : {};
}

/**
 * Hands out the deliveries of many sessions in batches: of each session in the order given, and so many of a session in a
 * batch that the database sees both neighbours in one batch and neighbours in different ones.
 */
export function* batchesOf(
  sessions: readonly RandomSession[],
  random: () => number,
): Generator<SessionActivityEvent[]> {
  const waiting = sessions.map(({ deliveries }) => [...deliveries]);
  while (waiting.some((left) => left.length > 0)) {
    const batch = waiting.flatMap((left) => left.splice(0, 1 + Math.floor(random() * 3)));
    for (let start = 0; start < batch.length; start += 500) yield batch.slice(start, start + 500);
  }
}
