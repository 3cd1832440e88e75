import { afterAll, beforeAll, expect, it } from "vitest";
import { createSignalHistory, type OpenSignalDatabase, openSignalDatabase } from "../../src/history/index.js";
import { eventOf } from "../history/history-fixtures.js";
import { byTrueOrder, naiveHistories, wrongAmong } from "../history/model.js";
import { deliveriesOf, generateSessions } from "../history/sessions.js";
import { createRandom } from "../support/random.js";
import { wrongSessions } from "./comparison.js";
import { notDurable, type PostgresServer, startPostgres } from "./postgres-server.js";

const sessionCount = Number(process.env["HISTORY_SESSIONS"] ?? 100_000);
const seed = Number(process.env["HISTORY_SEED"] ?? 1);
const sessionsAtOnce = 5_000;

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

it(`${sessionCount} random sessions, duplicated, replayed and in any order, have the histories of the model`, {
  timeout: 60_000 + sessionCount * 10,
}, async () => {
  const history = createSignalHistory({ database, log: false });
  await history.migrate();
  const random = createRandom(seed);
  const seen = { changes: 0, duplicates: 0 };
  for (let done = 0; done < sessionCount; done += sessionsAtOnce) {
    const sessions = generateSessions(random, `s${done}`, Math.min(sessionsAtOnce, sessionCount - done));
    const batches = deliveriesOf(sessions, random);
    const writer = async (): Promise<void> => {
      for (let batch = batches.pop(); batch !== undefined; batch = batches.pop()) {
        await history.recordBatch(batch.map(eventOf));
      }
    };
    await Promise.all([writer(), writer()]);
    expect(await wrongSessions(database, sessions)).toEqual([]);
    seen.changes = history.stats().changed;
    seen.duplicates = history.stats().duplicates;
  }
  // Otherwise the test would not be about them.
  expect(seen.changes).toBeGreaterThan(sessionCount);
  expect(seen.duplicates).toBeGreaterThan(sessionCount);
});

it("a recorder that compares with the latest row is found wrong by the same comparison", () => {
  const random = createRandom(seed);
  const sessions = generateSessions(random, "naive", 500);
  const wrong = wrongAmong(sessions, naiveHistories(deliveriesOf(sessions, random).flat()));
  expect(wrong.length).toBeGreaterThan(sessions.length / 2);

  // In the true order, it is right: so it is the order that it cannot bear, and not the test that it does not fit.
  const inOrder = sessions.flatMap(({ happened }) => happened).toSorted(byTrueOrder);
  expect(wrongAmong(sessions, naiveHistories(inOrder))).toEqual([]);
});
