import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createSignalHistory, openSignalDatabase } from "../../src/history/index.js";
import { eventOf, recordOf } from "../history/history-fixtures.js";
import { type PostgresServer, startPostgres } from "./postgres-server.js";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres({
    // Nobody tells the planner anything: what it believes of a table is what it was when a connection first asked.
    settings: { fsync: false, autovacuum: false, shared_preload_libraries: "auto_explain" },
  });
});
afterAll(() => server?.close());

const firstAt = Date.UTC(2025, 0, 1);
const perSession = 10;

/** Sessions of ten activities, each a second after the other, and every third from another country. */
function fillSql(sessions: number): string[] {
  const activity = `select s.n as s, k.n as k, 'e' || s.n || '/' || k.n as event_id, 's' || s.n as session_id,
      to_timestamp(${firstAt / 1_000} + s.n / 100.0 + k.n) as at
    from generate_series(1, ${sessions}) s(n), generate_series(0, ${perSession - 1}) k(n)`;
  return [
    `insert into signal_history.activity
      select event_id, session_id, at, at, 'filled', 'login', '', 'OK', false from (${activity}) a`,
    `insert into signal_history.observation (session_id, signal, started_at, event_id, value, is_change)
      select session_id, signal, at, event_id, value, is_change from (${activity}) a cross join lateral (values
        ('country', (array['DE', 'FR', 'IT', 'ES'])[1 + k / 3], k % 3 = 0),
        ('device_id', 'phone', k = 0)) o(signal, value, is_change)`,
    `insert into signal_history.session_user select 'u' || n, 's' || n from generate_series(1, ${sessions}) s(n)`,
    `insert into signal_history.tombstone select 'm' || n from generate_series(1, ${sessions}) s(n)`,
    `insert into signal_history.late_activity
      select 'l' || n, 'l' || n, now(), now(), '', '', '', 'OK', false, '{}', 'late' from generate_series(1, ${sessions}) s(n)`,
    `insert into signal_history.set_aside (topic, partition, record_offset, event_id, session_id, reason)
      select 't', 0, n, 'a' || n, 'a' || n, 'x' from generate_series(1, ${sessions}) s(n)`,
  ];
}

/** The work of a connection that has made all of its plans on empty tables, and how many rows it read of large ones. */
async function workOn(name: string, sessions: number): Promise<{ reads: Map<string, number>; plans: string }> {
  const url = await server.createDatabase(name);
  const settings = { log_min_duration: 0, log_nested_statements: "on", log_analyze: "on" };
  for (const [setting, value] of Object.entries(settings)) {
    await server.sql("postgres", `alter database ${name} set auto_explain.${setting} = '${value}'`);
  }
  const database = openSignalDatabase({ url, maxConnections: 1 });
  const history = createSignalHistory({ database, tombstoneKey: "a key of the tests", log: false });
  await history.migrate();
  // PostgreSQL believes that a table is empty where it was so when it was last cleaned.
  await server.sql(name, "vacuum analyze");
  for (let round = 0; round < 10; round += 1) {
    await history.record(
      eventOf({ id: `w${round}`, at: firstAt - round, session: "warm", user: "warm", country: "DE" }),
    );
    await history.compact();
  }
  await history.forget({ userId: "warm" });
  await server.sql(name, ...fillSql(sessions));

  const before = server.log().length;
  const events = Array.from({ length: 50 }, (_, number) =>
    eventOf({
      id: `n${number}`,
      // Amid what is there, and after it.
      at: firstAt + 4_321 + number * 500,
      session: `s${1 + number}`,
      user: `u${1 + number}`,
      country: "DE",
      device: "laptop",
    }),
  );
  await history.recordBatch(events);
  await history.recordBatch(events);
  await history.record(eventOf({ id: "e7/3", at: firstAt, session: "s7", country: "PT" }));
  await history.forget({ userId: "u60" });
  await history.forget({ sessionId: "s61" });
  await history.setAside(recordOf(events[0]!), "x");
  await history.listSetAside({ limit: 3 });
  await database.query("select * from signal_history.compact_3('1 second', 100)");
  const plans = server.log().slice(before);
  expect(history.stats()).toMatchObject({ recorded: 60, duplicates: 51, late: {} });
  await database.close();

  return { reads: await readsIn(name), plans };
}

/** How many rows were read of each table and index by connections that have ended. Those of the tests read none. */
async function readsIn(name: string): Promise<Map<string, number>> {
  for (let last = ""; ; ) {
    const counts = await server.sql(
      name,
      `select relname as name, seq_tup_read::int as rows from pg_stat_user_tables where relname not in ('state', 'migration')
        union all select indexrelname, idx_tup_read::int from pg_stat_user_indexes order by 1`,
    );
    const reads = new Map(counts.map(({ name: of, rows }) => [String(of), Number(rows)]));
    // Before PostgreSQL 15 they are told to another process, which writes them down each half second.
    if (reads.get("observation_pkey")! > 0 && JSON.stringify(counts) === last) return reads;
    last = JSON.stringify(counts);
    await delay(600);
  }
}

it("recording, compacting and forgetting read as many rows of a large history as of a small one", async () => {
  const small = await workOn("small", 1_000);
  const large = await workOn("large", 20_000);
  const tables = ["activity", "observation", "late_activity", "set_aside", "session_user", "tombstone"];
  for (const table of tables) expect([table, small.reads.get(table), large.reads.get(table)]).toEqual([table, 0, 0]);
  expect(small.reads.get("observation_pkey")).toBeGreaterThan(100);
  // The planner sometimes looks at an index, too: that is the difference that there may be.
  const grown = [...large.reads].filter(([index, rows]) => rows > 2 * small.reads.get(index)! + 100);
  expect(grown).toEqual([]);
  for (const { plans } of [small, large]) {
    expect(plans).not.toMatch(/Seq Scan on (observation|activity|late_activity|set_aside|session_user|tombstone)\b/);
    for (const used of [
      "Index Scan Backward using observation_pkey on observation p",
      "Index Scan using observation_pkey on observation s",
      "using activity_pkey on activity a",
      "using late_activity_pkey on late_activity l",
      "using tombstone_pkey on tombstone t",
      "using activity_completed on activity a",
      "using observation_event on observation o",
    ]) {
      expect(plans).toContain(used);
    }
  }
});

it("queries find by indexes what they ask for", async () => {
  const name = "asked";
  const database = openSignalDatabase({ url: await server.createDatabase(name), maxConnections: 1 });
  const history = createSignalHistory({ database, log: false });
  await history.migrate();
  await server.sql(name, ...fillSql(20_000), "analyze");
  await database.query("set auto_explain.log_min_duration = 0");
  const before = server.log().length;
  const since = new Date(firstAt + 20_000);
  expect(await history.history("s777")).toHaveLength(5);
  expect(await history.current("s777")).toHaveLength(2);
  expect(await history.triggeredBy("e777/3")).toHaveLength(1);
  const [first, second] = await history.changes({ since, limit: 2 });
  expect(await history.changes({ since, after: first!.cursor, limit: 1 })).toEqual([second]);
  expect(await history.changes({ since, signal: "device_id", limit: 100 })).toHaveLength(100);
  // What is rare is found without reading what is not.
  expect(await history.changes({ signal: "user_agent" })).toEqual([]);
  const plans = server.log().slice(before);
  expect(plans.match(/Query Text/g)).toHaveLength(7);
  expect(plans).not.toContain("Seq Scan");
  expect(plans).toContain("Index Scan using observation_change_signal on observation o");
  await database.close();
});
