import { afterAll, beforeAll, expect, it } from "vitest";
import { createSignalHistory, type OpenSignalDatabase, openSignalDatabase } from "../../src/history/index.js";
import { eventOf } from "../history/history-fixtures.js";
import { arrivalsOf, batchesOf, generateLongSessions } from "../history/sessions.js";
import { createRandom } from "../support/random.js";
import { wrongSessions } from "./comparison.js";
import { notDurable, type PostgresServer, startPostgres } from "./postgres-server.js";

let server: PostgresServer;
let database: OpenSignalDatabase;
beforeAll(async () => {
  server = await startPostgres({ settings: notDurable });
  database = openSignalDatabase({ url: server.url() });
});
afterAll(async () => {
  await database?.close();
  await server?.close();
});

it("compacting while events come within the lateness changes no history, nor does a replay of everything", async () => {
  const random = createRandom(11);
  const sessions = generateLongSessions(random, 300);
  const history = createSignalHistory({ database, latenessMs: 60_000, log: false });
  await history.migrate();
  const arrivals = arrivalsOf(sessions, random);

  let removed = 0;
  for (const batch of batchesOf(arrivals, random, 100)) {
    await history.recordBatch(batch.map(eventOf));
    if (random.below(4) === 0) removed += await history.compact();
  }
  const { rows } = await database.query("select count(*)::int as count from signal_history.observation");
  const observations = 2 * sessions.flatMap(({ happened }) => happened).length;
  expect(removed).toBeGreaterThan(observations / 4);
  expect(rows).toEqual([{ count: observations - removed }]);
  expect(await wrongSessions(database, sessions)).toEqual([]);

  for (const batch of batchesOf(random.shuffle(arrivals), random, 100)) {
    await history.recordBatch(batch.map(eventOf));
    if (random.below(10) === 0) await history.compact();
  }
  expect(await wrongSessions(database, sessions)).toEqual([]);
  expect(history.stats()).toMatchObject({ late: {}, notRecorded: {} });
});
