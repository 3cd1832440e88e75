import { sample } from "fast-check";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { createSignalHistory, type OpenSignalDatabase, openSignalDatabase } from "../../src/history/index.js";
import { eventOf, recordOf } from "../history/history-fixtures.js";
import { oddEvents } from "../history/odd-events.js";
import { notDurable, type PostgresServer, startPostgres } from "./postgres-server.js";

const runs = Number(process.env["HISTORY_ODD_EVENTS"] ?? 10_000);
const seed = Number(process.env["HISTORY_SEED"] ?? 2);

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres({ settings: notDurable });
});
afterAll(() => server?.close());

async function open(name: string, madeWith?: string): Promise<OpenSignalDatabase> {
  const database = openSignalDatabase({ url: await server.createDatabase(name, madeWith) });
  onTestFinished(() => database.close());
  return database;
}

it(`of ${runs} events with any texts, times and numbers, each is recorded, set aside or counted`, {
  timeout: 60_000 + runs * 20,
}, async () => {
  const database = await open("odd");
  const history = createSignalHistory({ database, accept: () => true, log: false });
  await history.migrate();
  const events = sample(oddEvents, { seed, numRuns: runs });
  for (let start = 0; start < events.length; start += 100) {
    await history.recordBatch(events.slice(start, start + 100).map(({ event }) => event));
  }
  const { recorded, duplicates, late, notRecorded } = history.stats();
  const counts = [recorded, duplicates, ...Object.values(late), ...Object.values(notRecorded)];
  expect(counts.reduce((sum, one) => sum + one, 0)).toBe(events.length);
  const good = events.filter(({ isGood }) => isGood);
  expect(good.length).toBeGreaterThan(runs / 10);
  // Each good one is there already.
  await history.recordBatch(good.map(({ event }) => event));
  expect(history.stats()).toMatchObject({ recorded, duplicates: duplicates + good.length });
  for (const { event } of events.slice(0, 1_000)) await history.setAside(recordOf(event), event.action);
  expect(history.stats().setAside).toBe(1_000);
});

it("a value that was cut is as long as PostgreSQL counts it", async () => {
  const database = await open("cut");
  const values = {
    a: `${"a".repeat(1_023)}😀`,
    b: "😀".repeat(1_100),
    c: `${"a".repeat(1_024)}😀`,
    d: "\0".repeat(1_100),
  };
  const history = createSignalHistory({
    database,
    signals: () => ({ sessionId: "s", signals: values }),
    log: false,
  });
  await history.migrate();
  await history.record(eventOf({ id: "one", at: 1 }));
  const { rows } = await database.query(
    "select signal, char_length(value) as characters, octet_length(value) as bytes from signal_history.change order by signal",
  );
  expect(rows).toEqual([
    { signal: "a", characters: 1_024, bytes: 1_027 },
    { signal: "b", characters: 1_024, bytes: 4_096 },
    { signal: "c", characters: 1_024, bytes: 1_024 },
    { signal: "d", characters: 1_024, bytes: 3_072 },
  ]);
});

it("a database that cannot hold all characters is refused at the start", async () => {
  const database = await open("latin", "template template0 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'");
  await expect(createSignalHistory({ database, log: false }).migrate()).rejects.toMatchObject({
    message: "a signal history needs a database with the encoding UTF8, not LATIN1",
    failure: "permanent",
  });
});

it("a role that may only use the tables sets aside, looks and tries again", async () => {
  const database = await open("rights");
  await createSignalHistory({ database, log: false }).migrate();
  await database.query("create role recorder login");
  await database.query("grant usage on schema signal_history to recorder");
  await database.query("grant select, insert, update, delete on all tables in schema signal_history to recorder");
  const own = openSignalDatabase({ url: server.url("rights").replace("postgres@", "recorder@") });
  onTestFinished(() => own.close());
  const history = createSignalHistory({ database: own, tombstoneKey: "a key of the tests", log: false });
  await history.migrate();
  await history.setAside(recordOf(eventOf({ id: "a", at: 1, user: "ada", country: "DE" })), "x");
  expect(await history.listSetAside()).toHaveLength(1);
  expect(await history.retrySetAside()).toMatchObject({ recorded: 1 });
  expect(await history.forget({ userId: "ada" })).toEqual({ sessions: 1, changes: 2 });
});
