import type { SignalChange, SignalHistory } from "../../src/history/index.js";
import type { Told } from "./history-fixtures.js";
import type { Session } from "./sessions.js";

/** A change, as far as tests compare it. */
export type Change = Pick<SignalChange, "sessionId" | "signal" | "value" | "eventId">;

/** The changes of each session, as lines. */
export type Histories = Map<string, string[]>;

/** What the history must be, told the simplest way: put everything in order, then walk through it. */
export function expectedHistory({ happened }: Session): string[] {
  const known: Record<string, string> = {};
  const lines: string[] = [];
  for (const change of happened.toSorted(byTrueOrder).flatMap(saidBy)) {
    if (known[change.signal] === change.value) continue;
    known[change.signal] = change.value;
    lines.push(lineOf(change));
  }
  return lines;
}

/**
 * What one would write first: what arrives is taken once, and is a change where it differs from what was recorded last. The
 * tests must find it wrong.
 */
export function naiveHistories(arrived: readonly Told[]): Histories {
  const latest = new Map<string, string>();
  const recorded = new Map<Told, Change[]>();
  for (const told of new Map(arrived.map((one) => [one.id, one])).values()) {
    const changes = saidBy(told).filter(
      ({ sessionId, signal, value }) => latest.get(`${sessionId} ${signal}`) !== value,
    );
    for (const { sessionId, signal, value } of changes) latest.set(`${sessionId} ${signal}`, value);
    recorded.set(told, changes);
  }
  return historiesOf([...recorded.keys()].toSorted(byTrueOrder).flatMap((told) => recorded.get(told)!));
}

/** By when contexts were made, and where that is the same, by the bytes of the ids. */
export function byTrueOrder(a: Told, b: Told): number {
  return a.at - b.at || Buffer.compare(Buffer.from(a.id), Buffer.from(b.id));
}

/** What an activity says, by the names of signals, as the history has them. */
function saidBy({ id, session = "session-1", country, device, user }: Told): Change[] {
  return Object.entries({ country, device_id: device, user_id: user }).flatMap(([signal, value]) =>
    value ? [{ sessionId: session, signal, value, eventId: id }] : [],
  );
}

/** The sessions whose history is not that of the model, each with both. */
export function wrongAmong(
  sessions: readonly Session[],
  histories: Histories,
): { session: string; expected: string[]; got: string[] }[] {
  return sessions
    .map((session) => ({
      session: session.id,
      expected: expectedHistory(session),
      got: histories.get(session.id) ?? [],
    }))
    .filter(({ expected, got }) => JSON.stringify(expected) !== JSON.stringify(got));
}

/** The histories that changes make, which are in their order. */
export function historiesOf(changes: readonly Change[]): Histories {
  const histories: Histories = new Map();
  for (const change of changes) {
    const lines = histories.get(change.sessionId);
    if (lines === undefined) histories.set(change.sessionId, [lineOf(change)]);
    else lines.push(lineOf(change));
  }
  return histories;
}

/** The history of a session, as the database has it. */
export async function linesOf(history: SignalHistory, session: string): Promise<string[]> {
  return (await history.history(session)).map(lineOf);
}

function lineOf({ signal, value, eventId }: Change): string {
  return `${signal}=${value} by ${eventId}`;
}
