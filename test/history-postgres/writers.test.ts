import { afterAll, beforeAll, expect, it } from "vitest";
import {
  createSignalHistory,
  type OpenSignalDatabase,
  openSignalDatabase,
  type SignalHistory,
} from "../../src/history/index.js";
import { schemaVersion } from "../../src/history/schema.js";
import { eventOf, type Told } from "../history/history-fixtures.js";
import { batchesOf, deliveriesOf, generateSessions, type Session } from "../history/sessions.js";
import { createRandom, type Random } from "../support/random.js";
import { pause } from "../support/until.js";
import { wrongSessions } from "./comparison.js";
import { notDurable, type PostgresServer, startPostgres } from "./postgres-server.js";

const writerCount = 8;
const tombstoneKey = "a key of the tests";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres({ settings: notDurable });
});
afterAll(() => server?.close());

/** Eight of them, each with connections of its own, as in eight processes. */
async function withWriters(
  name: string,
  work: (histories: readonly SignalHistory[], database: OpenSignalDatabase) => Promise<void>,
): Promise<void> {
  const url = await server.createDatabase(name);
  const databases = Array.from({ length: writerCount }, () => openSignalDatabase({ url, maxConnections: 2 }));
  const histories = databases.map((database) => createSignalHistory({ database, tombstoneKey, log: false }));
  try {
    // All at once, and nobody has migrated before.
    await Promise.all(histories.map((history) => history.migrate()));
    await work(histories, databases[0]!);
  } finally {
    await Promise.all(databases.map((database) => database.close()));
  }
  expect(server.log()).not.toMatch(/deadlock detected/);
}

/** Each writer gets everything, in an order of its own and with duplicates of its own. */
async function recordEverywhere(
  histories: readonly SignalHistory[],
  sessions: readonly Session[],
  random: Random,
): Promise<void> {
  const plans = histories.map((history) => ({ history, batches: deliveriesOf(sessions, random) }));
  await Promise.all(
    plans.map(async ({ history, batches }) => {
      for (const batch of batches) await history.recordBatch(batch.map(eventOf));
    }),
  );
}

it("eight writers that get the same deliveries in different orders end with the model's histories", async () => {
  await withWriters("writers", async (histories, database) => {
    const random = createRandom(8);
    const sessions = generateSessions(random, "w", 1_500);
    await recordEverywhere(histories, sessions, random);

    expect(await wrongSessions(database, sessions)).toEqual([]);
    const recorded = histories.map((history) => history.stats().recorded);
    // Each once, by whoever came first; and nearly everybody came first somewhere.
    const activities = sessions.flatMap(({ happened }) => happened).length;
    expect(recorded.reduce((sum, one) => sum + one, 0)).toBe(activities);
    expect(recorded.filter((one) => one > 0).length).toBeGreaterThan(writerCount / 2);
    const { rows } = await database.query(`select
      (select count(*)::int from signal_history.activity) as activities,
      (select count(*)::int from signal_history.late_activity) as late,
      (select array_agg(version) from signal_history.migration) as migrations`);
    expect(rows).toEqual([
      { activities, late: 0, migrations: Array.from({ length: schemaVersion }, (_, index) => index + 1) },
    ]);
  });
});

it("eight writers on one session of many activities end with the model's history", async () => {
  await withWriters("one_session", async (histories, database) => {
    const random = createRandom(9);
    const happened = Array.from(
      { length: 400 },
      (_, number): Told => ({
        id: `e${number}`,
        at: Date.UTC(2025, 0, 1) + random.below(200),
        session: "the one",
        country: random.pick(["DE", "FR"]),
        device: random.pick(["phone", "laptop"]),
      }),
    );
    const sessions = [{ id: "the one", happened }];
    await recordEverywhere(histories, sessions, random);
    expect(await wrongSessions(database, sessions)).toEqual([]);
  });
});

it("compacting and forgetting meanwhile changes no other history, and what was forgotten stays so", async () => {
  await withWriters("meanwhile", async (histories, database) => {
    const random = createRandom(10);
    const [first] = histories;
    // Two days before the others, and recorded already: these are compacted, and all the same they come again.
    const old = generateSessions(random, "old", 2_500).map((session) => ({
      ...session,
      happened: session.happened.map((told) => ({ ...told, at: told.at - 172_800_000, until: told.at - 172_700_000 })),
    }));
    for (const batch of batchesOf(random.shuffle(old.flatMap(({ happened }) => happened)), random, 500)) {
      await first!.recordBatch(batch.map(eventOf));
    }
    const sessions = generateSessions(random, "new", 800);
    const forgotten = new Set(random.shuffle(sessions).slice(0, 80));

    let removed = 0;
    let rounds = 0;
    let done = false;
    const compacting = async (): Promise<void> => {
      while (!done) {
        removed += await histories[rounds % writerCount]!.compact();
        rounds += 1;
        await pause(20);
      }
    };
    const forgetting = async (): Promise<void> => {
      for (const { id, happened } of forgotten) {
        const userId = happened[0]?.user;
        await histories[random.below(writerCount)]!.forget(userId ? { userId } : { sessionId: id });
        await pause(5);
      }
    };
    const recording = recordEverywhere(histories, [...sessions, ...old], random).finally(() => {
      done = true;
    });
    await Promise.all([recording, forgetting(), compacting()]);
    // A replay of all, as of the topic from its beginning.
    await recordEverywhere(histories.slice(0, 1), [...sessions, ...old], random);

    expect(rounds).toBeGreaterThan(3);
    expect(removed).toBeGreaterThan(1_000);
    const kept = sessions.filter((session) => !forgotten.has(session));
    expect(await wrongSessions(database, [...kept, ...old])).toEqual([]);
    for (const table of ["activity", "observation", "late_activity", "session_user"]) {
      const { rows } = await database.query(
        `select session_id from signal_history.${table} where session_id = any($1)`,
        [[...forgotten].map(({ id }) => id)],
      );
      expect(rows).toEqual([]);
    }
    const { rows } = await database.query("select event_id, reason from signal_history.late_activity");
    expect(rows).toEqual([]);
  });
});
