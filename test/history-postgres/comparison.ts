import type { SignalDatabase } from "../../src/history/index.js";
import { changeLine, expectedHistory } from "./model.js";
import type { Session } from "./sessions.js";

/** The histories of sessions, as they stand in a table or view that has a history's columns. */
export async function readHistories(
  database: SignalDatabase,
  sessionIds: readonly string[],
  from = "signal_history.change",
): Promise<Map<string, string[]>> {
  const { rows } = await database.query(
    `select session_id, event_id, signal, value from ${from} where session_id = any($1)
      order by started_at, event_id collate "C", signal collate "C"`,
    [sessionIds],
  );
  const histories = new Map<string, string[]>();
  for (const row of rows as { session_id: string; event_id: string; signal: string; value: string }[]) {
    const history = histories.get(row.session_id) ?? [];
    histories.set(row.session_id, history);
    history.push(changeLine(row.event_id, row.signal, row.value));
  }
  return histories;
}

/** The sessions whose history is not that of the model, each with both. */
export async function wrongSessions(
  database: SignalDatabase,
  sessions: readonly Session[],
  from?: string,
): Promise<{ session: string; expected: string[]; got: string[] }[]> {
  const histories = await readHistories(
    database,
    sessions.map(({ id }) => id),
    from,
  );
  return sessions
    .map((session) => ({
      session: session.id,
      expected: expectedHistory(session),
      got: histories.get(session.id) ?? [],
    }))
    .filter(({ expected, got }) => JSON.stringify(expected) !== JSON.stringify(got));
}
