import type { SignalDatabase } from "../../src/history/index.js";
import { type Change, historiesOf, wrongAmong } from "../history/model.js";
import type { Session } from "../history/sessions.js";

/** The sessions whose history in the database is not that of the model, each with both. */
export async function wrongSessions(
  database: SignalDatabase,
  sessions: readonly Session[],
): Promise<ReturnType<typeof wrongAmong>> {
  const { rows } = await database.query(
    `select session_id as "sessionId", event_id as "eventId", signal, value from signal_history.change
      where session_id = any($1) order by started_at, event_id collate "C", signal collate "C"`,
    [sessions.map(({ id }) => id)],
  );
  return wrongAmong(sessions, historiesOf(rows as Change[]));
}
