import Pg from "pg";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { createSignalHistory, type OpenSignalDatabase, openSignalDatabase } from "../../src/history/index.js";
import { eventOf } from "../history/history-fixtures.js";
import { deliveriesOf, generateSessions } from "../history/sessions.js";
import { createRandom } from "../support/random.js";
import { wrongSessions } from "./comparison.js";
import { lockSession, openTransaction, untilNoneWaits } from "./database-faults.js";
import { startPgBouncer } from "./pgbouncer.js";
import { notDurable, type PostgresServer, startPostgres } from "./postgres-server.js";
import { errorOf } from "./scene.js";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres({ settings: notDurable });
});
afterAll(() => server?.close());

/** A database of its own, through PgBouncer with its default settings. */
async function open(
  name: string,
  mode: "transaction" | "session",
  timeoutMs?: number,
): Promise<OpenSignalDatabase & { readonly url: string }> {
  await server.createDatabase(name);
  const port = await startPgBouncer(server, mode);
  const url = `postgresql://postgres@127.0.0.1:${port}/${name}`;
  const database = openSignalDatabase({ url, timeoutMs });
  onTestFinished(() => database.close());
  return { ...database, url };
}

it.each(["transaction", "session"] as const)("a history works through PgBouncer that pools by %s", async (mode) => {
  const database = await open(`by_${mode}`, mode);
  const history = createSignalHistory({ database, tombstoneKey: "a key of the tests", log: false });
  await Promise.all([history.migrate(), history.migrate()]);
  const random = createRandom(21);
  const sessions = generateSessions(random, "s", 300);
  await Promise.all(deliveriesOf(sessions, random).map((batch) => history.recordBatch(batch.map(eventOf))));
  await history.compact();
  expect(await wrongSessions(database, sessions)).toEqual([]);
  expect(await history.forget({ sessionId: sessions[0]!.id })).toMatchObject({ sessions: 1 });
  expect(await wrongSessions(database, sessions.slice(1))).toEqual([]);
});

it("there, too, the server ends what takes longer than timeoutMs, and nobody else's statements", async () => {
  const database = await open("timeouts", "transaction", 300);
  const history = createSignalHistory({ database, log: false });
  await history.migrate();
  const foreign = await openTransaction(server.url("timeouts"));
  onTestFinished(() => foreign.end());
  await foreign.query(lockSession, ["session-1"]);
  const event = eventOf({ id: "a", at: 1, country: "DE" });
  expect(await errorOf(history.record(event))).toMatchObject({ code: "57014", failure: "passing" });
  await untilNoneWaits(server);
  // What another client gets of the pool is as it was.
  const other = new Pg.Client({ connectionString: database.url });
  await other.connect();
  const { rows } = await other.query("select current_setting('statement_timeout') as statement_timeout");
  await other.end();
  expect(rows).toEqual([{ statement_timeout: "0" }]);
  await foreign.end();
  expect(await history.record(event)).toHaveLength(1);
});
