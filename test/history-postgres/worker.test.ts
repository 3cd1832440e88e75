import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { createSignalHistory, openSignalDatabase } from "../../src/history/index.js";
import { startEmbeddedKafka } from "../../src/kafka/embedded.js";
import { changesIn, changesOf, sessionEvents, startWorker, writeSessionEvents } from "../cli/cli-fixtures.js";
import { slowStartMs, startWorkerProcess, untilCommitted, watchedGroup } from "../cli/worker-process.js";
import { readRecords } from "../kafka/kafka-fixtures.js";
import { pause, until } from "../support/until.js";
import { type PostgresServer, startPostgres } from "./postgres-server.js";

const topic = "session-activities";
const groupId = "session-activity-history";
const events = sessionEvents(8_000);

let server: PostgresServer;
let url: string;
let brokers: string;
let databases = 0;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.close());
beforeEach(async () => {
  databases += 1;
  url = await server.createDatabase(`worker_${databases}`);
  const kafka = await startEmbeddedKafka();
  ({ brokers } = kafka);
  onTestFinished(() => kafka.close());
});

async function expectWholeHistory(): Promise<void> {
  const database = openSignalDatabase({ url });
  onTestFinished(() => database.close());
  expect(await changesIn(database)).toEqual(changesOf(events));
  expect(await database.query("select count(*)::int as count from signal_history.activity")).toMatchObject({
    rows: [{ count: events.length }],
  });
  expect(await database.query("select event_id from signal_history.late_activity")).toMatchObject({ rows: [] });
}

test("two worker processes share a topic, one is killed, and the history is that of one", async () => {
  // The broker notices the death after the session timeout. It takes the older protocol's from the client.
  const properties = { "group.protocol": "classic", "session.timeout.ms": 4_000, "heartbeat.interval.ms": 500 };
  const kafka = { brokers, groupId, properties };
  await writeSessionEvents(brokers, topic, events.slice(0, 4));
  // Slow enough that offsets which ran ahead of the database would be committed by the time of the death.
  const options = { database: url, kafka, compactEveryMs: 50, statementMs: 100 };
  const workers = [startWorkerProcess(options), startWorkerProcess(options)] as const;
  const stats = () => workers.map((worker) => worker.stats());
  await until(() => stats().every((one) => one?.consumer?.assigned === 2), stats, slowStartMs);
  await writeSessionEvents(brokers, topic, events.slice(4));
  const [killed, left] = workers;
  await untilCommitted(killed);
  await killed.kill();
  expect(killed.recorded()).toBeLessThan(3_900);
  await until(() => left.stats()?.consumer?.assigned === 4, stats, slowStartMs);
  await until(watchedGroup(kafka).hasCaughtUp, stats, slowStartMs);
  await left.close();
  await expectWholeHistory();
});

test("a server that is down at first, and killed in the middle, is waited for by a member of its group", async () => {
  const deadLetterTopic = "dead-letters";
  await writeSessionEvents(brokers, topic, events);
  await server.stop();
  const database = openSignalDatabase({ url });
  onTestFinished(() => database.close());
  const worker = startWorker({ database, kafka: { brokers, groupId, deadLetterTopic }, compactEveryMs: 50 });
  await pause(1_000);
  expect(worker.stats()).toMatchObject({ live: true, ready: false, consumer: undefined });
  await server.start();
  await until(() => worker.stats().history.recorded > 500, worker.stats);
  await server.kill();
  await until(() => worker.stats().consumer!.retrying > 0 && !worker.stats().ready, worker.stats);
  await until(() => worker.stats().consumer!.retried > 40, worker.stats);
  expect(worker.stats()).toMatchObject({ live: true, consumer: { assigned: 4, joined: true, invalid: {} } });
  expect(worker.stats().consumer!.handled).toBeLessThan(8_000);
  await server.start();
  await until(() => worker.stats().consumer!.handled === 8_000, worker.stats);
  expect(worker.stats()).toMatchObject({ ready: true, consumer: { assigned: 4, invalid: {} } });
  await worker.close();
  expect(await readRecords(brokers, deadLetterTopic, 0)).toEqual([]);
  await expectWholeHistory();
});

test("a worker whose user may only use what its owner has made", async () => {
  const owner = openSignalDatabase({ url });
  onTestFinished(() => owner.close());
  await createSignalHistory({ database: owner }).migrate();
  await owner.query("create role recorder login");
  await owner.query("grant usage on schema signal_history to recorder");
  await owner.query("grant select, insert, update, delete on all tables in schema signal_history to recorder");
  const database = openSignalDatabase({ url: url.replace("postgres@", "recorder@") });
  onTestFinished(() => database.close());
  await writeSessionEvents(brokers, topic, events);
  const worker = startWorker({ database, kafka: { brokers, groupId }, compactEveryMs: 50 });
  await until(() => worker.stats().consumer?.handled === 8_000, worker.stats);
  await until(() => worker.stats().compactor!.runs > 0, worker.stats);
  await worker.close();
  await expectWholeHistory();
});

test("a worker whose login is taken away while it runs tries again, and ends with what to do", async () => {
  const owner = openSignalDatabase({ url });
  onTestFinished(() => owner.close());
  await createSignalHistory({ database: owner }).migrate();
  await owner.query("create role locked login");
  await owner.query("grant usage on schema signal_history to locked");
  await owner.query("grant select, insert, update, delete on all tables in schema signal_history to locked");
  const database = openSignalDatabase({ url: url.replace("postgres@", "locked@") });
  onTestFinished(() => database.close());
  await writeSessionEvents(brokers, topic, events.slice(0, 400));
  const worker = startWorker({ database, kafka: { brokers, groupId }, giveUpAfterMs: 3_000, log: false });
  await until(() => worker.stats().history.recorded === 400, worker.stats);
  await owner.query("alter role locked nologin");
  await owner.query("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'locked'");
  await writeSessionEvents(brokers, topic, events.slice(400));
  await until(() => worker.stats().problems.includes("database_refuses"), worker.stats);
  expect(worker.stats()).toMatchObject({ live: true, ready: false });
  await expect(worker.closed).rejects.toThrow(
    /^refused for 3 s: the database refuses: 28000 .*: check user and password/,
  );
  // Somebody has acted, and the worker was started again.
  await owner.query("alter role locked login");
  const next = startWorker({ database, kafka: { brokers, groupId } });
  await until(() => next.stats().history.recorded === events.length - 400, next.stats);
  await next.close();
  await expectWholeHistory();
});

test("a worker that loses a right tries again, and goes on when it has it back", async () => {
  const owner = openSignalDatabase({ url });
  onTestFinished(() => owner.close());
  await createSignalHistory({ database: owner }).migrate();
  await owner.query("create role bounded login");
  await owner.query("grant usage on schema signal_history to bounded");
  await owner.query("grant select, insert, update, delete on all tables in schema signal_history to bounded");
  const database = openSignalDatabase({ url: url.replace("postgres@", "bounded@") });
  onTestFinished(() => database.close());
  const worker = startWorker({ database, kafka: { brokers, groupId }, log: false });
  await until(() => worker.stats().ready, worker.stats);
  await owner.query("revoke insert on signal_history.observation from bounded");
  await writeSessionEvents(brokers, topic, events);
  await until(() => worker.stats().problems.includes("handler_blocked"), worker.stats);
  await owner.query("grant insert on signal_history.observation to bounded");
  await until(() => worker.stats().consumer?.handled === events.length, worker.stats);
  await until(() => worker.stats().ready, worker.stats);
  expect(worker.stats()).toMatchObject({ consumer: { invalid: {} }, history: { setAside: 0 } });
  await worker.close();
  await expectWholeHistory();
});
