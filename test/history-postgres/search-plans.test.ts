import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { busyUser, fillLongSql, fillSql, firstAt, longSession } from "../../bench/console/console-load.js";
import { type ActivitySearch, createActivitySearch } from "../../src/history/activity-search.js";
import { createSignalHistory, openSignalDatabase } from "../../src/history/index.js";
import { notDurable, type PostgresServer, startPostgres } from "./postgres-server.js";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres({ settings: { ...notDurable, shared_preload_libraries: "auto_explain" } });
});
afterAll(() => server?.close());

/** An empty table is read from end to end, whatever indexes it has. */
const fillLateSql = `insert into signal_history.late_activity (event_id, session_id, started_at, completed_at, service, action,
    procedure, status, verified, signals, reason)
  select 'late' || n, 's' || n, to_timestamp(n), to_timestamp(n), '', '', '', 'OK', true, '{}', 'late'
  from generate_series(1, 20000) n`;

const page = { limit: 100 };
const questions: Readonly<Record<string, (search: ActivitySearch) => Promise<unknown[]>>> = {
  timeline: (search) => search.timeline("s7", page),
  "timeline of a long session": (search) => search.timeline(longSession, page),
  everything: (search) => search.search(page),
  user: (search) => search.search({ ...page, userId: busyUser }),
  action: (search) => search.search({ ...page, action: "login" }),
  status: (search) => search.search({ ...page, status: "PERMISSION_DENIED" }),
  "action and status": (search) => search.search({ ...page, action: "login", status: "DATA_LOSS" }),
  "not verified": (search) => search.search({ ...page, verified: false }),
  time: (search) => search.search({ ...page, sinceMs: firstAt, untilMs: firstAt + 3_600_000, status: "OK" }),
  changes: (search) => search.changes({ ...page, signal: "country" }),
  "changes of a value": (search) => search.changes({ ...page, signal: "country", previousValue: "DE" }),
  signals: async (search) => [...(await search.signals()).names],
};

it("no question of the console reads a table from end to end, or changes anything", { timeout: 300_000 }, async () => {
  const url = await server.createDatabase("searched");
  await server.sql("postgres", "alter database searched set auto_explain.log_min_duration = 0");
  const writer = openSignalDatabase({ url, env: false });
  await createSignalHistory({ database: writer, env: false }).migrate();
  await writer.close();
  await server.sql("searched", ...fillSql(1, 4_000), ...fillLongSql(), fillLateSql, "vacuum analyze");
  const database = openSignalDatabase({ url, readOnly: true, env: false });
  onTestFinished(() => database.close());
  const search = createActivitySearch(database, "signal_history");
  await search.check();
  const before = server.log().length;
  for (const [name, ask] of Object.entries(questions)) expect((await ask(search)).length, name).toBeGreaterThan(0);
  await search.extent();
  const plans = server.log().slice(before);
  expect(plans.match(/Query Text/g)?.length).toBeGreaterThanOrEqual(Object.keys(questions).length);
  // These two have a few rows.
  const read = [...plans.matchAll(/Seq Scan on (\w+)/g)].map(([, table]) => table);
  expect(read.filter((table) => table !== "state" && table !== "migration")).toEqual([]);
  await expect(database.query("update signal_history.activity set action = ''")).rejects.toMatchObject({
    code: "25006",
  });
});
