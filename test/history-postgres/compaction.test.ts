import { afterAll, beforeAll, expect, it } from "vitest";
import { createSignalHistory, type OpenSignalDatabase, openSignalDatabase } from "../../src/history/index.js";
import { eventOf, type Told } from "../history/fixtures.js";
import { wrongSessions } from "./comparison.js";
import { createRandom, type Random } from "./random.js";
import { type PostgresServer, startPostgres } from "./server.js";
import { batchesOf, type Session } from "./sessions.js";

let server: PostgresServer;
let database: OpenSignalDatabase;
beforeAll(async () => {
  server = await startPostgres({ settings: { fsync: false, synchronous_commit: false, full_page_writes: false } });
  database = openSignalDatabase({ url: server.url() });
});
afterAll(async () => {
  await database?.close();
  await server?.close();
});

const latenessMs = 60_000;
const longestCallMs = 30_000;
const longestDelayMs = 25_000;

/** Sessions of an hour, with values that stay for a while. */
function hourOfSessions(random: Random, count: number): Session[] {
  return Array.from({ length: count }, (_, number) => {
    const id = `session-${number}`;
    let [country, device] = ["DE", "phone"];
    const happened = Array.from({ length: 30 }, (__, index): Told => {
      if (random.below(6) === 0) country = random.pick(["DE", "FR", "IT"]);
      if (random.below(6) === 0) device = random.pick(["phone", "laptop"]);
      const at = Date.UTC(2025, 0, 1) + random.below(3_600_000);
      return { id: `${id}/${index}`, at, until: at + random.below(longestCallMs), session: id, country, device };
    });
    return { id, user: "", happened };
  });
}

it("compacting while events come within the lateness changes no history, nor does a replay of everything", async () => {
  const random = createRandom(11);
  const sessions = hourOfSessions(random, 300);
  const history = createSignalHistory({ database, latenessMs, log: false });
  await history.migrate();
  const arrivals = sessions
    .flatMap(({ happened }) => happened)
    .flatMap((told) => Array.from({ length: random.pick([1, 1, 2]) }, () => told))
    .map((told) => ({ told, at: told.until! + random.below(longestDelayMs) }))
    .toSorted((a, b) => a.at - b.at);

  let removed = 0;
  for (const batch of batchesOf(arrivals, random, 100)) {
    await history.recordBatch(batch.map(({ told }) => eventOf(told)));
    if (random.below(4) === 0) removed += await history.compact();
  }
  const { rows } = await database.query("select count(*)::int as count from signal_history.observation");
  const observations = 2 * sessions.flatMap(({ happened }) => happened).length;
  expect(removed).toBeGreaterThan(observations / 4);
  expect(rows).toEqual([{ count: observations - removed }]);
  expect(await wrongSessions(database, sessions)).toEqual([]);

  for (const batch of batchesOf(random.shuffle(arrivals), random, 100)) {
    await history.recordBatch(batch.map(({ told }) => eventOf(told)));
    if (random.below(10) === 0) await history.compact();
  }
  expect(await wrongSessions(database, sessions)).toEqual([]);
  expect(history.stats()).toMatchObject({ late: {}, notRecorded: {} });
});
