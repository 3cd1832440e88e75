import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { createSignalHistory, openSignalDatabase, type SignalDatabase } from "../../src/history/index.js";
import { eventOf, recordOf } from "../history/history-fixtures.js";
import { notDurable, type PostgresServer, startPostgres } from "./postgres-server.js";

const sessionCount = 100_000;
const tombstoneKey = "a key of the tests";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres({ settings: notDurable });
});
afterAll(() => server?.close());

/** When a session of the user begins: half of them before the long session, and half of them after it. */
const shortAt = `to_timestamp(s + k + 10000000 * (s % 2))`;
const longAt = "to_timestamp(5000000 + n)";
const middleAt = 5_000_000 + 60_000;

/** A user with many sessions of two activities each, and one session of another user with as many changes. */
const fillSql = [
  `insert into signal_history.activity
    select 'e' || s || '/' || k, 's' || s, ${shortAt}, ${shortAt}, 'filled', 'login', '', 'OK', false
    from generate_series(1, ${sessionCount}) s, generate_series(0, 1) k`,
  `insert into signal_history.observation (session_id, signal, started_at, event_id, value, is_change)
    select 's' || s, signal, ${shortAt}, 'e' || s || '/' || k, 'DE', k = 0
    from generate_series(1, ${sessionCount}) s, generate_series(0, 1) k, (values ('country'), ('device_id')) o(signal)`,
  `insert into signal_history.session_user select 'ada', 's' || s from generate_series(1, ${sessionCount}) s`,
  `insert into signal_history.activity
    select 'l' || n, 'long', ${longAt}, ${longAt}, 'filled', 'login', '', 'OK', false
    from generate_series(1, ${sessionCount}) n`,
  `insert into signal_history.observation (session_id, signal, started_at, event_id, value, is_change)
    select 'long', signal, ${longAt}, 'l' || n, n || '', signal = 'country' or n = 1
    from generate_series(1, ${sessionCount}) n, (values ('country'), ('device_id')) o(signal)`,
  "insert into signal_history.session_user values ('bob', 'long')",
];

const tables = ["observation", "activity", "late_activity", "set_aside", "session_user"];

async function rowsOf(database: SignalDatabase): Promise<number> {
  const parts = tables.map((table) => `(select count(*) from signal_history.${table})`);
  const { rows } = await database.query(`select (${parts.join(" + ")})::int as rows`);
  return (rows as [{ rows: number }])[0].rows;
}

it(`forgets a user with ${sessionCount} sessions in slices, and goes on where it was interrupted`, {
  timeout: 600_000,
}, async () => {
  const name = "forgetting";
  const database = openSignalDatabase({ url: await server.createDatabase(name) });
  onTestFinished(() => database.close());
  let slices = 0;
  let slicesLeft = 20;
  let rows = 0;
  const erased: number[] = [];
  const watched: SignalDatabase = {
    async query(text, values) {
      if (!text.includes("forget_slice")) return database.query(text, values);
      if (slicesLeft === 0) throw Object.assign(new Error("interrupted"), { code: "57P01" });
      slices += 1;
      slicesLeft -= 1;
      const result = await database.query(text, values);
      const before = rows;
      // Each slice has committed.
      rows = await rowsOf(database);
      erased.push(before - rows);
      return result;
    },
  };
  const history = createSignalHistory({ database: watched, tombstoneKey, log: false });
  await history.migrate();
  await server.sql(name, ...fillSql, "analyze");
  await history.setAside(recordOf(eventOf({ id: "aside", at: 1, session: "s7", user: "ada", country: "DE" })), "x");
  const all = await rowsOf(database);
  rows = all;

  await expect(history.forget({ userId: "ada" })).rejects.toMatchObject({ failure: "passing" });
  expect(slices).toBe(20);
  expect(rows).toBeLessThan(all);
  const left = rows;
  // What is left is all of whole sessions or of some that are begun: nothing of the user is lost out of sight.
  const [{ known, unknown }] = (
    await database.query(`select count(*) filter (where u.user_id = 'ada')::int as known,
        count(*) filter (where u.user_id is null)::int as unknown
      from (select distinct session_id from signal_history.activity) a
      left join signal_history.session_user u using (session_id)`)
  ).rows as [{ known: number; unknown: number }];
  expect(unknown).toBe(0);
  expect(known).toBeGreaterThan(sessionCount / 2);
  // And meanwhile nothing of the user's comes back.
  await history.record(eventOf({ id: "new", at: 1, session: "s99999", user: "ada", country: "FR" }));
  expect(history.stats()).toMatchObject({ forgotten: 1, recorded: 0 });

  slicesLeft = Number.POSITIVE_INFINITY;
  const again = await history.forget({ userId: "ada" });
  expect(again.sessions).toBeGreaterThan(sessionCount / 2);
  expect(again.sessions).toBeLessThan(sessionCount);
  expect(rows).toBeLessThan(left);
  expect(await history.forget({ userId: "ada" })).toEqual({ sessions: 0, changes: 0 });
  const { rows: remaining } = await database.query(
    "select distinct user_id, session_id from signal_history.session_user union select '', session_id from signal_history.set_aside",
  );
  expect(remaining).toEqual([{ user_id: "bob", session_id: "long" }]);
  expect(await history.history("s7")).toEqual([]);

  // One session with a long past likewise.
  expect(await history.forget({ sessionId: "long" })).toEqual({ sessions: 1, changes: sessionCount + 1 });
  expect(await rowsOf(database)).toBe(0);
  expect(Math.max(...erased)).toBeLessThanOrEqual(5_000);
  const { rows: marks } = await database.query("select count(*)::int as marks from signal_history.tombstone");
  expect(marks).toEqual([{ marks: sessionCount + 2 }]);
});

/** The rows that PostgreSQL read to run a statement, by its own count. */
async function rowsRead(database: SignalDatabase, text: string, values: unknown[] = []): Promise<number> {
  const { rows } = await database.query(`explain (analyze, format json) ${text}`, values);
  interface Plan {
    readonly "Actual Rows": number;
    readonly "Actual Loops": number;
    readonly "Rows Removed by Filter"?: number;
    readonly Plans?: readonly Plan[];
  }
  const read = (plan: Plan): number =>
    (plan["Actual Rows"] + (plan["Rows Removed by Filter"] ?? 0)) * plan["Actual Loops"] +
    (plan.Plans ?? []).reduce((sum, one) => sum + read(one), 0);
  const [{ "QUERY PLAN": plans }] = rows as [{ "QUERY PLAN": [{ Plan: Plan }] }];
  return read(plans[0].Plan);
}

it(`a page of a session with ${sessionCount} changes is read without the others`, { timeout: 600_000 }, async () => {
  const name = "pages";
  const database = openSignalDatabase({ url: await server.createDatabase(name), maxConnections: 1 });
  onTestFinished(() => database.close());
  const asked: [string, unknown[] | undefined][] = [];
  const watched: SignalDatabase = {
    query(text, values) {
      asked.push([text, values]);
      return database.query(text, values);
    },
  };
  const history = createSignalHistory({ database: watched, log: false });
  await history.migrate();
  await server.sql(name, ...fillSql, "analyze");
  asked.length = 0;

  const first = await history.history("long");
  expect(first).toHaveLength(1_000);
  const middle = JSON.stringify([`${middleAt * 1e6}`, "l60000", "country"]);
  const page = await history.history("long", { after: middle, limit: 10 });
  expect(page.map(({ value }) => value)).toEqual(Array.from({ length: 10 }, (_, n) => `${60_001 + n}`));
  expect((await history.current("long")).map(({ signal, value }) => [signal, value])).toEqual([
    ["country", `${sessionCount}`],
    ["device_id", "1"],
  ]);
  expect(await history.triggeredBy("l77777")).toHaveLength(1);
  expect(await history.changes({ limit: 10, after: middle })).toHaveLength(10);
  expect(await history.changes({ limit: 10, after: middle, signal: "country" })).toHaveLength(10);
  expect(await history.listSetAside()).toEqual([]);
  expect(asked).toHaveLength(7);
  for (const mode of ["force_custom_plan", "force_generic_plan"]) {
    await database.query(`set plan_cache_mode = ${mode}`);
    for (const [text, values] of asked) {
      const isLarge = text === asked[0]![0] && values?.length === 1;
      expect([mode, text, await rowsRead(database, text, values)]).toEqual([
        mode,
        text,
        expect.toSatisfy((rows: number) => rows < (isLarge ? 10_000 : 200)),
      ]);
    }
  }
});

it(`compacting reads what goes, and not the ${sessionCount} changes that a long call lasted through`, {
  timeout: 600_000,
}, async () => {
  const name = "compacting";
  const database = openSignalDatabase({ url: await server.createDatabase(name) });
  onTestFinished(() => database.close());
  const history = createSignalHistory({ database, latenessMs: 0, log: false });
  await history.migrate();
  await server.sql(
    name,
    ...fillSql,
    "update signal_history.state set closed_through = to_timestamp(15000000)",
    "analyze",
  );
  // Two calls in the middle and at the end say what was said there already, and complete now.
  const at = (n: number): number => (5_000_000 + n) * 1_000 + 500;
  const until = 16_000_000_000;
  await history.recordBatch([
    eventOf({ id: "a", at: at(20), until, session: "long", country: "20" }),
    eventOf({ id: "b", at: at(20) + 1, until, session: "long", country: "20" }),
    eventOf({ id: "c", at: at(99_000), until, session: "long", country: "99000" }),
  ]);
  expect(history.stats()).toMatchObject({ recorded: 3, changed: 0 });
  const [row] = await server.sql(
    name,
    `begin; select * from signal_history.compact_3('0 seconds', 5000);
      create temp table read as select idx_tup_fetch + seq_tup_read as rows from pg_stat_xact_user_tables
        where relid = 'signal_history.observation'::regclass;
      create temp table kept as select event_id, covers_until_event_id from signal_history.observation
        where covers_until_event_id is not null; commit`,
    `select (select rows::int from read) as rows, (select json_object_agg(event_id, covers_until_event_id) from kept) as kept`,
  );
  expect(row).toEqual({ rows: expect.toSatisfy((rows: number) => rows < 50), kept: { l20: "b", l99000: "c" } });
});

it("keeps late activities within their bound, and none of many writers waits for another for ever", async () => {
  const database = openSignalDatabase({ url: await server.createDatabase("late") });
  onTestFinished(() => database.close());
  const histories = [1, 2, 3, 4].map(() =>
    createSignalHistory({ database, tombstoneKey, latenessMs: 1_000, maxSetAsideBytes: 100_000, log: false }),
  );
  const [first] = histories;
  await first!.migrate();
  await first!.recordBatch([
    eventOf({ id: "old", at: 1_000, country: "DE" }),
    eventOf({ id: "new", at: 1e9, country: "DE" }),
  ]);
  await first!.compact();
  // Each writer has some of every session, so that their batches wait for each other.
  const batchOf = (writer: number, round: number) =>
    Array.from({ length: 50 }, (_, at) =>
      eventOf({ id: `late-${writer}-${round}-${at}`, at: 2_000 + at, session: `s${at}`, user: "ada", country: "FR" }),
    );
  await Promise.all(
    histories.map(async (history, writer) => {
      for (let round = 0; round < 10; round += 1) await history.recordBatch(batchOf(writer, round));
    }),
  );
  const { rows } = await database.query(`select s.late_bytes::int as bytes,
    (select count(*)::int from signal_history.late_activity) as kept from signal_history.state s`);
  const [{ bytes, kept }] = rows as [{ bytes: number; kept: number }];
  // Each writer may go over it by a batch of 50.
  expect(bytes).toBeGreaterThanOrEqual(100_000);
  expect(bytes).toBeLessThan(100_000 + 4 * 50 * 500);
  expect(histories.reduce((sum, one) => sum + one.stats().lateFull, 0)).toBe(4 * 10 * 50 - kept);
  await first!.forget({ userId: "ada" });
  expect(await database.query("select late_bytes::int as bytes from signal_history.state")).toMatchObject({
    rows: [{ bytes: 0 }],
  });
});
