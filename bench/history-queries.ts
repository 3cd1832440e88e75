import { createSignalHistory, openSignalDatabase, type SignalHistory } from "connect-session-activity/history";
import type { PostgresServer } from "../test/history-postgres/postgres-server.js";
import { freshEvents, prefilledAt, sessionId } from "./history-load.js";
import { spread } from "./measure.js";

/** A query of each kind, by the name that it is shown with. */
function queries(history: SignalHistory, sessions: number): Record<string, () => Promise<readonly unknown[]>> {
  const session = () => sessionId(Math.floor(Math.random() * sessions));
  const last = new Date(prefilledAt(sessions - 1_000));
  return {
    "history(sessionId)": () => history.history(session()),
    "current(sessionId)": () => history.current(session()),
    "triggeredBy(eventId)": async () => {
      const [change] = await history.history(session());
      return history.triggeredBy(change?.eventId ?? "");
    },
    "changes({ since }), 1,000 of them": () => history.changes({ since: last }),
    "changes({ since, signal }), 1,000 of them": () => history.changes({ since: last, signal: "country" }),
    "changes({ signal }) of a signal that nobody has": () => history.changes({ signal: "nothing" }),
  };
}

/** What queries take, each asked some times. */
export async function measureQueries(history: SignalHistory, sessions: number): Promise<void> {
  for (const [name, query] of Object.entries(queries(history, sessions))) {
    const times: number[] = [];
    let found = 0;
    for (let round = 0; round < 30; round += 1) {
      const start = performance.now();
      found = (await query()).length;
      times.push(performance.now() - start);
    }
    console.log(`${name}: ${spread(times, 2)} ms, ${found} changes`);
  }
}

/** The lines of a plan that say how rows of large tables are found and written, and how long the whole took. */
const telling =
  /Scan.* on (observation|activity|late_activity|tombstone|session_user)\b|(Insert|Update|Delete) on|on (record_activities\w*|compact)\b/;

/** How PostgreSQL finds rows in the largest history, by its own account. */
export async function showPlans(server: PostgresServer, sessions: number): Promise<void> {
  const database = openSignalDatabase({ url: server.url(), maxConnections: 1 });
  const history = createSignalHistory({ database, log: false });
  const settings = { log_min_duration: 0, log_nested_statements: "on", log_analyze: "on", log_buffers: "on" };
  for (const [name, value] of Object.entries(settings)) await database.query(`set auto_explain.${name} = ${value}`);
  const works: Record<string, () => Promise<unknown>> = {
    "recordBatch of 500": () => history.recordBatch(freshEvents(500, sessions, Math.random)),
    ...queries(history, sessions),
    "compact, a step of it": () => database.query("select * from signal_history.compact('1 day', 5000)"),
  };
  for (const [name, work] of Object.entries(works)) {
    const before = server.log().length;
    await work();
    console.log(`plan of ${name}:`);
    for (const line of server.log().slice(before).split("\n")) {
      if (telling.test(line)) console.log(`  ${line.trim().replace(/cost=\S+ rows=\d+ width=\d+/, "")}`);
    }
  }
  await database.close();
}
