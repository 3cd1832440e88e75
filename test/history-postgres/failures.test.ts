import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { createSignalHistory, openSignalDatabase } from "../../src/history/index.js";
import { eventOf } from "../history/history-fixtures.js";
import { deliveriesOf, generateSessions } from "../history/sessions.js";
import { createRandom } from "../support/random.js";
import { pause } from "../support/until.js";
import {
  type ForeignTransaction,
  lockSession,
  openTransaction,
  startWire,
  untilNoneWaits,
  untilWaiting,
} from "./database-faults.js";
import { type PostgresServer, startPostgres } from "./postgres-server.js";
import { errorOf, expectModel, type Scene, type SceneOptions, sessionData, setScene } from "./scene.js";

let server: PostgresServer;
const cleanUps: (() => Promise<void>)[] = [];
beforeAll(async () => {
  server = await startPostgres();
});
afterEach(async ({ task }) => {
  if (task.result?.state === "fail") process.stderr.write(`${server.log().split("\n").slice(-60).join("\n")}\n`);
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
  // What the server logs by itself, its own log of failed statements among it, tells nothing of sessions either. Of an event
  // that two sessions claim, it logs the event's id, which tells nothing of them.
  const log = server.log().replaceAll(/DETAIL: {2}Key \(event_id\)=\(.*\) already exists\./g, "");
  expect(log).not.toMatch(sessionData);
});
afterAll(() => server?.close());

async function scene(name: string, options?: SceneOptions): Promise<Scene> {
  const set = await setScene(server, name, options);
  cleanUps.push(() => set.close());
  return set;
}

async function transaction(url: string): Promise<ForeignTransaction> {
  const foreign = await openTransaction(url);
  cleanUps.push(() => foreign.end());
  return foreign;
}

/** Somebody else has the lock of a session in the batch. */
async function holdSession({ url, fresh }: Scene): Promise<ForeignTransaction> {
  const foreign = await transaction(url);
  await foreign.query(lockSession, [fresh.session]);
  return foreign;
}

/** Somebody else is about to write a row that the batch has to write, too: so it is stopped amid its writing. */
async function holdRow({ url, fresh }: Scene): Promise<ForeignTransaction> {
  const foreign = await transaction(url);
  await foreign.query(
    "insert into signal_history.activity values ($1, 'other', now(), now(), '', '', '', 'OK', false)",
    [fresh.id],
  );
  return foreign;
}

const holds = [
  ["the locks", "lock", holdSession],
  ["a row, amid its writing", "row", holdRow],
] as const;

it.each(holds)("a connection terminated while it waits for %s has recorded nothing", async (_, name, hold) => {
  const set = await scene(`terminated_${name}`);
  const before = await set.stored();
  const foreign = await hold(set);
  const failing = errorOf(set.history.recordBatch(set.batch));
  await server.sql("postgres", `select pg_terminate_backend(${await untilWaiting(server)})`);
  const { code, message } = await failing;
  expect([code, message]).toEqual(["57P01", "terminating connection due to administrator command"]);
  expect(await set.stored()).toBe(before);
  await foreign.end();
  await set.retry();
});

it.each(holds)("a server killed while the batch waits for %s has recorded nothing", async (_, name, hold) => {
  const set = await scene(`killed_${name}`);
  const before = await set.stored();
  await hold(set);
  const failing = errorOf(set.history.recordBatch(set.batch));
  await untilWaiting(server);
  await server.kill();
  expect((await failing).message).toMatch(/Connection terminated unexpectedly|ECONNRESET/);
  expect((await errorOf(set.history.recordBatch(set.batch))).message).toMatch(/ECONNREFUSED|ECONNRESET/);
  await server.start();
  expect(await set.stored()).toBe(before);
  await set.retry();
});

it.each(holds)("after a lock_timeout at %s nothing is recorded", async (_, name, hold) => {
  const set = await scene(`lock_timeout_${name}`);
  const before = await set.stored();
  const foreign = await hold(set);
  await set.database.query("set lock_timeout = '100ms'");
  const error = await errorOf(set.history.recordBatch(set.batch));
  expect([error.code, error.message]).toEqual(["55P03", "canceling statement due to lock timeout"]);
  expect(await set.stored()).toBe(before);
  await foreign.end();
  await set.retry();
});

it.each(holds)(
  "the option timeoutMs ends a batch that waits for %s, and nothing of it is recorded",
  async (_, name, hold) => {
    const set = await scene(`timeout_${name}`, { timeoutMs: 300 });
    const before = await set.stored();
    const foreign = await hold(set);
    const error = await errorOf(set.history.recordBatch(set.batch));
    expect([error.code, error.message]).toEqual(["57014", "canceling statement due to statement timeout"]);
    expect(error).toMatchObject({ failure: "passing" });
    // The server has given up: it does not record when the lock is free.
    await untilNoneWaits(server);
    await foreign.end();
    expect(await set.stored()).toBe(before);
    await set.retry();
  },
);

it("in a deadlock with somebody else's transaction, the batch that PostgreSQL ends has recorded nothing", async () => {
  const set = await scene("deadlock");
  const before = await set.stored();
  const foreign = await holdRow(set);
  await foreign.query("set local deadlock_timeout = '1min'");
  const failing = errorOf(set.history.recordBatch(set.batch));
  await untilWaiting(server);
  // The batch has this lock, and waits for the row.
  const waiting = foreign.query(lockSession, [set.fresh.session]);
  const { code, message } = await failing;
  expect([code, message]).toEqual(["40P01", "deadlock detected"]);
  await waiting;
  expect(await set.stored()).toBe(before);
  await foreign.end();
  await set.retry();
});

it("an event that somebody else records at the same time in another session is a duplicate, and no failure", async () => {
  const set = await scene("same_id");
  const foreign = await holdRow(set);
  const recording = set.history.recordBatch(set.batch);
  await untilWaiting(server);
  await foreign.query("commit");
  await recording;
  const [row] = await server.sql(
    set.name,
    `select session_id from signal_history.activity where event_id = '${set.fresh.id}'`,
  );
  expect(row).toEqual({ session_id: "other" });
});

it("an answer that is lost after the commit leads to no second record", async () => {
  const wire = await startWire(server.port);
  const set = await scene("lost_answer", { port: wire.port });
  const before = await set.stored();
  // After those to "begin" and to the statement, that to "commit".
  wire.answersToPass = 2;
  wire.answersToLose = 1;
  expect((await errorOf(set.history.recordBatch(set.batch))).message).toMatch(/terminated unexpectedly|ECONNRESET/);
  const after = await set.stored();
  expect(after).not.toBe(before);
  await set.retry();
  expect(await set.stored()).toBe(after);
});

it.each(["a wire that is cut", "a server that is killed"] as const)(
  "under load and with %s, writers that try again end with the model's histories",
  async (fault) => {
    const name = fault.replaceAll(" ", "_");
    const wire = await startWire(server.port);
    await server.createDatabase(name);
    const random = createRandom(15);
    const sessions = generateSessions(random, "secret", 600);
    const failed: string[] = [];
    let disturbed = false;

    async function write(number: number): Promise<void> {
      const url = `postgresql://postgres@127.0.0.1:${wire.port}/${name}`;
      const database = openSignalDatabase({ url, maxConnections: 1, timeoutMs: 5_000 });
      const history = createSignalHistory({ database, log: false });
      const persist = async (work: () => Promise<unknown>): Promise<void> => {
        for (;;) {
          const error = await work().then(
            () => undefined,
            (reason: Error) => reason,
          );
          if (error === undefined) return;
          failed.push((await errorOf(Promise.reject(error))).message);
          await pause(20);
        }
      };
      await persist(() => history.migrate());
      const own = createRandom(number);
      do {
        for (const batch of deliveriesOf(sessions, own, 60)) {
          await persist(() => history.recordBatch(batch.map(eventOf)));
        }
      } while (!disturbed);
      await database.close();
    }

    async function disturb(): Promise<void> {
      for (let faults = 0; faults < 5; faults += 1) {
        await pause(200 + random.below(400));
        if (fault === "a wire that is cut") wire.cut();
        else {
          await server.kill();
          await server.start();
        }
      }
      disturbed = true;
    }

    await Promise.all([disturb(), ...[1, 2, 3, 4].map(write)]);
    expect(failed.length).toBeGreaterThan(2);
    await expectModel(server, name, sessions);
  },
);

it("a server process that is killed takes all connections with it, and nothing else", async () => {
  const set = await scene("one_process");
  const before = await set.stored();
  await holdRow(set);
  const failing = errorOf(set.history.recordBatch(set.batch));
  process.kill(await untilWaiting(server), "SIGKILL");
  expect((await failing).message).toMatch(/terminated unexpectedly|ECONNRESET|terminating connection/);
  for (;;) {
    const error = await set.retry().catch((reason: Error) => reason);
    if (error === undefined) break;
    // It recovers for a moment.
    expect(error.message).toMatch(/in recovery mode|starting up|not yet accepting|terminat|ECONN/);
  }
  expect(await set.stored()).not.toBe(before);
});

it("without its schema, every method says what to do, and after that all is recorded", async () => {
  const set = await scene("no_schema");
  await server.sql(set.name, "drop schema signal_history cascade");
  const { history } = set;
  const withKey = createSignalHistory({ database: set.database, tombstoneKey: "a key of the tests", log: false });
  const message = "the schema signal_history has no signal history, or an older one: call migrate()";
  for (const work of [
    () => history.recordBatch(set.batch),
    () => history.compact(),
    () => history.history("a"),
    () => history.current("a"),
    () => history.changes(),
    () => history.triggeredBy("a"),
    () => withKey.forget({ sessionId: "a" }),
  ]) {
    expect((await errorOf(work())).message).toBe(message);
  }
  await history.migrate();
  const told = set.sessions.flatMap(({ happened }) => happened);
  await history.recordBatch(told.map(eventOf));
  await set.retry();
});

it("a database that is read only says so, and nothing is recorded", async () => {
  const set = await scene("read_only");
  const before = await set.stored();
  await set.database.query("set default_transaction_read_only = on");
  const { code, message } = await errorOf(set.history.recordBatch(set.batch));
  expect([code, message]).toEqual(["25006", "a signal history cannot be recorded where the database is read only"]);
  expect(await set.stored()).toBe(before);
  await set.database.query("set default_transaction_read_only = off");
  await set.retry();
});
