import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { createSignalHistory, type OpenSignalDatabase, openSignalDatabase } from "../../src/history/index.js";
import { eventOf } from "../history/history-fixtures.js";
import { deliveriesOf, generateSessions } from "../history/sessions.js";
import { createRandom } from "../support/random.js";
import { wrongSessions } from "./comparison.js";
import { type PostgresServer, startPostgres } from "./postgres-server.js";

let server: PostgresServer;
const open: OpenSignalDatabase[] = [];
beforeAll(async () => {
  server = await startPostgres({ settings: { fsync: false } });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((database) => database.close()));
});
afterAll(() => server?.close());

async function historyIn(name: string, madeWith?: string, ...settings: readonly string[]) {
  const url = await server.createDatabase(name, madeWith);
  for (const setting of settings) await server.sql("postgres", `alter database ${name} set ${setting}`);
  const database = openSignalDatabase({ url });
  open.push(database);
  return { database, history: createSignalHistory({ database, log: false }) };
}

const icu = "locale_provider icu icu_locale 'en-US-u-ka-shifted-ks-level1'";
/** Before PostgreSQL 15, only a language of the machine will do (on Debian, of the package locales-all). */
const ofMachine = "lc_collate 'en_US.UTF-8' lc_ctype 'en_US.UTF-8'";

it.each([
  ["english", 150_000, icu, ofMachine],
  ["c", 0, "lc_collate 'C' lc_ctype 'C'", ""],
])("the order is that of bytes, whatever the database's language is: %s", async (name, since, language, before) => {
  const [running] = await server.sql("postgres", "select current_setting('server_version_num')::int as version");
  const chosen = Number(running!["version"]) >= since ? language : before;
  const { database, history } = await historyIn(name, `template template0 ${chosen}`);
  await history.migrate();
  const random = createRandom(12);
  const sessions = generateSessions(random, "s", 1_000);
  for (const batch of deliveriesOf(sessions, random)) await history.recordBatch(batch.map(eventOf));
  expect(await wrongSessions(database, sessions)).toEqual([]);
  const [{ sorted }] = (await database.query("select 'B' > 'a' as sorted")).rows as [{ sorted: boolean }];
  expect(sorted).toBe(name === "english");
});

it("what a database sets for its connections changes nothing", async () => {
  const { database, history } = await historyIn(
    "own_ways",
    "",
    "timezone = 'Pacific/Apia'",
    "datestyle = 'German, YMD'",
    "intervalstyle = 'sql_standard'",
    "search_path = 'nowhere'",
    "standard_conforming_strings = off",
    "bytea_output = 'escape'",
    "enable_indexscan = off",
    "plan_cache_mode = force_custom_plan",
    "lc_numeric = 'C.UTF-8'",
  );
  await history.migrate();
  const random = createRandom(13);
  const sessions = generateSessions(random, "s", 500);
  for (const batch of deliveriesOf(sessions, random)) await history.recordBatch(batch.map(eventOf));
  await history.compact();
  expect(await wrongSessions(database, sessions)).toEqual([]);
  const at = Date.UTC(2025, 0, 2, 3, 4, 5, 678);
  await history.record(eventOf({ id: "one", at, session: "its own", country: "de" }));
  const [change] = await history.history("its own");
  expect(change).toMatchObject({ startedAt: new Date(at), completedAt: new Date(at + 5), value: "DE" });
  expect(await history.changes({ since: new Date(at) })).toEqual([change]);
});

it.each(["repeatable read", "serializable"])(
  "at the isolation level %s it says so, and records nothing",
  async (level) => {
    const name = level.replace(" ", "_");
    const { database, history } = await historyIn(name, "", `default_transaction_isolation = '${level}'`);
    await history.migrate();
    await expect(history.record(eventOf({ id: "one", at: 1, country: "DE" }))).rejects.toThrow(
      `a signal history is recorded at the isolation level read committed, not at ${level}`,
    );
    expect((await database.query("select * from signal_history.activity")).rows).toEqual([]);
  },
);
