import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { startHistoryWorker } from "../../src/cli/index.js";
import { type OpenSignalDatabase, openSignalDatabase } from "../../src/history/index.js";
import { type EmbeddedKafka, startEmbeddedKafka } from "../../src/kafka/embedded.js";
import { eventOf } from "../history/history-fixtures.js";
import { quick, write } from "../kafka/consumer/consumer-fixtures.js";
import { readRecords, recordingLogger } from "../kafka/kafka-fixtures.js";
import { refusalOf } from "../support/refusal.js";
import { until } from "../support/until.js";
import { changesIn, changesOf, flaky, sessionEvents, startWorker, writeSessionEvents } from "./cli-fixtures.js";

const topic = "session-activities";
const groupId = "session-activity-history";
let brokers: string;
let database: OpenSignalDatabase;
let schema: string;
let schemas = 0;
beforeAll(async () => {
  database = openSignalDatabase();
  // The first statement waits until it has made itself.
  await database.query("select 1");
}, 60_000);
afterAll(() => database.close());
beforeEach(async () => {
  schemas += 1;
  schema = `test_${schemas}`;
  const kafka: EmbeddedKafka = await startEmbeddedKafka();
  ({ brokers } = kafka);
  onTestFinished(() => kafka.close());
});

describe("a worker", { timeout: 60_000 }, () => {
  test("records what it reads, and makes the schema by itself", async () => {
    const events = sessionEvents(400);
    await writeSessionEvents(brokers, topic, events);
    const worker = startWorker({ database, history: { schema }, kafka: { brokers, groupId } });
    await until(() => worker.stats().consumer?.handled === 400, worker.stats);
    expect(await changesIn(database, schema)).toEqual(changesOf(events));
    expect(worker.stats()).toMatchObject({
      live: true,
      ready: true,
      consumer: { joined: true, assigned: 4, invalid: {} },
      history: { recorded: 400, duplicates: 0, late: {}, notRecorded: {} },
    });
  });

  test("goes on, after it was stopped in order, where it was, and nothing comes again", async () => {
    const events = sessionEvents(600);
    await writeSessionEvents(brokers, topic, events.slice(0, 300));
    const first = startWorker({ database, history: { schema }, kafka: { brokers, groupId } });
    await until(() => first.stats().history.recorded >= 100, first.stats);
    await first.close();
    await expect(first.closed).resolves.toBeUndefined();
    expect(first.stats()).toMatchObject({ live: false, ready: false });
    await writeSessionEvents(brokers, topic, events.slice(300));
    const second = startWorker({ database, history: { schema }, kafka: { brokers, groupId } });
    const recorded = (): number => first.stats().history.recorded + second.stats().history.recorded;
    await until(() => recorded() >= 600, second.stats);
    expect([first, second].map((worker) => worker.stats().history.duplicates)).toEqual([0, 0]);
    expect(await changesIn(database, schema)).toEqual(changesOf(events));
  });

  test("shares a topic with another one: the history is that of one", async () => {
    const events = sessionEvents(1_000);
    await writeSessionEvents(brokers, topic, events.slice(0, 500));
    const options = { database, history: { schema }, kafka: { brokers, groupId }, compactEveryMs: 20 };
    const one = startWorker(options);
    const other = startWorker(options);
    const assigned = (): number[] => [one, other].map((worker) => worker.stats().consumer?.assigned ?? 0);
    await until(() => assigned().join() === "2,2", assigned);
    await writeSessionEvents(brokers, topic, events.slice(500));
    const recorded = (): number[] => [one, other].map((worker) => worker.stats().history.recorded);
    await until(() => recorded().reduce((sum, count) => sum + count) >= 1_000, recorded);
    expect(Math.min(...recorded())).toBeGreaterThan(0);
    expect(await changesIn(database, schema)).toEqual(changesOf(events));
    expect([one, other].map((worker) => worker.stats().compactor?.failed)).toEqual([0, 0]);
  });

  test("that compacts before anything came takes what comes then, however old it is", async () => {
    const events = sessionEvents(40);
    const worker = startWorker({ database, history: { schema }, kafka: { brokers, groupId }, compactEveryMs: 20 });
    await until(() => (worker.stats().compactor?.runs ?? 0) > 1, worker.stats);
    await writeSessionEvents(brokers, topic, events);
    await until(() => worker.stats().consumer?.handled === 40, worker.stats);
    expect(worker.stats().history).toMatchObject({ recorded: 40, late: {} });
  });

  test("compacts, but not while its group has not recorded what is on the topic", async () => {
    const events = sessionEvents(600);
    // On a partition of their own, and hours before all others.
    const old = Array.from({ length: 200 }, (_, number) =>
      eventOf({
        id: `old-${number}`,
        at: 1_750_000_000_000 + number,
        session: "old",
        country: number % 2 ? "DE" : "FR",
      }),
    );
    await writeSessionEvents(brokers, topic, events, [0, 1, 2]);
    await writeSessionEvents(brokers, topic, old, [3]);
    const way = { isShut: true };
    const worker = startWorker({
      database: {
        query: (text, values) =>
          way.isShut && String(values?.[0]).includes("old-")
            ? Promise.reject(new Error("timeout exceeded when trying to connect"))
            : database.query(text, values),
      },
      history: { schema, latenessMs: 60_000 },
      kafka: { brokers, groupId },
      compactEveryMs: 20,
    });
    await until(() => worker.stats().history.recorded === 600, worker.stats);
    await until(() => (worker.stats().compactor?.skipped ?? 0) > 10, worker.stats);
    expect(worker.stats().compactor).toMatchObject({ runs: 0, failed: 0 });
    way.isShut = false;
    await until(() => (worker.stats().compactor?.removed ?? 0) > 0, worker.stats);
    expect(worker.stats().history).toMatchObject({ recorded: 800, late: {} });
    const changes = await changesIn(database, schema);
    expect(changes.filter((change) => change.startsWith("old"))).toHaveLength(200);
    expect(changes.filter((change) => change.startsWith("session"))).toEqual(changesOf(events));
  });
});

describe("where the database is away", { timeout: 60_000 }, () => {
  test("at first, a worker joins no group and waits for it", async () => {
    const events = sessionEvents(200);
    await writeSessionEvents(brokers, topic, events);
    const away = flaky(database);
    away.way = "cut";
    const worker = startWorker({ database: away, history: { schema }, kafka: { brokers, groupId }, maxBackoffMs: 10 });
    await until(() => away.refused > 3);
    expect(worker.stats()).toMatchObject({ live: true, ready: false, consumer: undefined });
    away.way = "open";
    await until(() => worker.stats().consumer?.handled === 200, worker.stats);
    expect(worker.stats().ready).toBe(true);
    expect(await changesIn(database, schema)).toEqual(changesOf(events));
  });

  test("at first, a worker can be stopped", async () => {
    const away = flaky(database);
    away.way = "cut";
    const worker = startWorker({
      database: away,
      history: { schema },
      kafka: { brokers, groupId },
      maxBackoffMs: 60_000,
    });
    await until(() => away.refused > 0);
    await worker.close();
    await expect(worker.closed).resolves.toBeUndefined();
  });

  test.each(["cut", "answers lost"] as const)(
    "in the middle (%s), a worker keeps its partitions, and every event is recorded once when it is back",
    async (way) => {
      const deadLetterTopic = "dead-letters";
      const events = sessionEvents(2_000);
      const log = recordingLogger();
      await writeSessionEvents(brokers, topic, events.slice(0, 400));
      const away = flaky(database);
      const kafka = { brokers, groupId, deadLetterTopic };
      const worker = startWorker({ database: away, history: { schema }, kafka, log, compactEveryMs: 20 });
      await until(() => worker.stats().history.recorded === 400, worker.stats);
      await until(() => (worker.stats().compactor?.runs ?? 0) > 0, worker.stats);
      away.way = way;
      await writeSessionEvents(brokers, topic, events.slice(400));
      // All four wait, and have failed more than once.
      await until(() => worker.stats().consumer?.retrying === 4 && worker.stats().consumer!.retried > 40, worker.stats);
      expect(worker.stats()).toMatchObject({ live: true, ready: false, consumer: { assigned: 4, handled: 400 } });
      away.way = "open";
      await until(() => worker.stats().consumer?.handled === 2_000, worker.stats);
      expect(worker.stats()).toMatchObject({ ready: true, consumer: { assigned: 4, invalid: {} } });
      expect(await changesIn(database, schema)).toEqual(changesOf(events));
      const { recorded, duplicates } = worker.stats().history;
      expect(recorded + duplicates).toBe(2_000);
      expect(duplicates > 0).toBe(way === "answers lost");
      expect(await readRecords(brokers, deadLetterTopic, 0)).toEqual([]);
      // What is logged says why, and nothing of what was to be recorded.
      expect(log.lines.filter(({ message }) => message.startsWith("The database does not work"))).toEqual([
        expect.objectContaining({ details: expect.objectContaining({ code: expect.stringMatching(/^ECONN/) }) }),
      ]);
      expect(JSON.stringify(log.lines)).not.toMatch(/session-\d|"DE"|phone/);
    },
  );
});

describe("records without an event", { timeout: 60_000 }, () => {
  const value = Buffer.from("country=DE, no event");

  test("are counted, and logged without what is in them", async () => {
    const log = recordingLogger();
    await write(brokers, topic, [{ partition: 2, value }]);
    const worker = startWorker({ database, history: { schema }, kafka: { brokers, groupId }, log });
    await until(() => worker.stats().consumer?.invalid.undecodable === 1, worker.stats);
    await worker.close();
    expect(log.lines.filter(({ level }) => level === "warn")).toEqual([
      {
        level: "warn",
        message: "A record that cannot be recorded is left out",
        details: { kind: "record_left_out", topic, partition: 2, offset: 0, reason: "undecodable" },
      },
    ]);
  });

  test("go to the dead letters, where there is a topic for them, and events beside them do not", async () => {
    const events = sessionEvents(4);
    await write(brokers, topic, [{ partition: 0, value }]);
    await writeSessionEvents(brokers, topic, events);
    const kafka = { brokers, groupId, deadLetterTopic: "dead-letters" };
    const worker = startWorker({ database, history: { schema }, kafka });
    await until(() => worker.stats().consumer?.handled === 4, worker.stats);
    const letters = await readRecords(brokers, "dead-letters", 1);
    expect(letters.map((letter) => Buffer.from(letter.value!).toString())).toEqual([value.toString()]);
    expect(worker.stats().history.recorded).toBe(4);
  });
});

describe("a database that refuses", () => {
  test("ends the worker, with what it says", async () => {
    await database.query(`create schema ${schema}`);
    await database.query(`create table ${schema}.migration (version int, applied_at timestamptz)`);
    await database.query(`insert into ${schema}.migration values (1000)`);
    const worker = startWorker({ database, history: { schema }, kafka: { brokers, groupId } });
    await expect(worker.closed).rejects.toThrow(/^the database refuses: P0001 .*update the package$/);
    expect(worker.stats()).toMatchObject({ live: false, ready: false });
    await worker.close();
  });
});

describe("wrong options are told at once", () => {
  const kafka = { brokers: "127.0.0.1:1", groupId };
  test.each<[object, string, string, string?]>([
    [
      { kafka: { ...kafka, brokers: "" } },
      "kafka.brokers",
      'kafka.brokers must be "host:port", or several joined by commas or in an array, got ""',
    ],
    [{ kafka: undefined }, "kafka.brokers", "kafka.brokers must be given", "MISSING"],
    [
      { kafka: { ...kafka, handle() {} } },
      "kafka.handle",
      "kafka.handle is not an option of startHistoryWorker",
      "UNKNOWN",
    ],
    [
      { history: { schema: "A" } },
      "history.schema",
      'history.schema must be 1 to 48 of a-z, 0-9 and _, and not begin with a digit, got "A"',
    ],
    [
      { schema: "a" },
      "schema",
      "schema is not an option of startHistoryWorker: did you mean history.schema?",
      "UNKNOWN",
    ],
    [
      { compactEveryMs: -1 },
      "compactEveryMs",
      "compactEveryMs must be a number of milliseconds from 0 to 2147483647, got -1",
    ],
    [
      { maxBackoffMs: 0 },
      "maxBackoffMs",
      "maxBackoffMs must be a whole number of milliseconds from 1 to 2147483647, got 0",
    ],
    [{ health: { port: 65_536 } }, "health.port", "health.port must be a port from 0 to 65535, got 65536"],
    [
      { health: { host: "::1" } },
      "health.port",
      "health.port must be given, a port from 0 to 65535, since health.host is",
      "MISSING",
    ],
    [
      { database: undefined },
      "database",
      "or what openSignalDatabase gives, since a history in memory would end with this process",
      "MISSING",
    ],
    [
      { database: null },
      "database",
      "database must be a Pool of pg, a PGlite, or what openSignalDatabase gives, got null",
    ],
    [
      { kafka: { ...kafka, deadLetterTopic: topic } },
      "deadLetterTopic",
      "deadLetterTopic must be another topic than the one that is read",
    ],
  ])("%o", (options, option, message, code = "INVALID") => {
    const refusal = refusalOf(() => startHistoryWorker({ database, kafka, env: false, ...options }));
    expect(refusal.message).toContain(message);
    expect(refusal).toMatchObject({ option, code: `ERR_OPTION_${code}` });
  });
});

describe("the environment beneath", { timeout: 60_000 }, () => {
  test("configures a whole worker, with a database and a health endpoint of its own", async () => {
    const folder = mkdtempSync(join(tmpdir(), "worker-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const events = sessionEvents(40);
    await writeSessionEvents(brokers, "activities", events);
    const worker = startHistoryWorker({
      env: {
        SESSION_TRACKING_KAFKA_BROKERS: brokers,
        SESSION_TRACKING_KAFKA_TOPIC: "activities",
        SESSION_TRACKING_KAFKA_PROPERTIES: JSON.stringify(quick),
        SESSION_HISTORY_DATABASE: join(folder, "database"),
        SESSION_HISTORY_SCHEMA: "by_environment",
        SESSION_HISTORY_GROUP: "a-group",
        SESSION_HISTORY_HEALTH_PORT: "0",
        SESSION_HISTORY_HEALTH_HOST: "127.0.0.1",
        // A Kubernetes Service called session-history-health sets this name, too.
        SESSION_HISTORY_HEALTH_SERVICE_HOST: "10.0.0.1",
      },
      log: false,
    });
    onTestFinished(() => worker.close());
    const port = await worker.healthPort;
    // It starts an embedded database on this thread, which a busy machine takes its time for.
    await until(() => worker.stats().consumer?.handled === 40, worker.stats, 50_000);
    await until(() => worker.stats().ready, worker.stats);
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
    await worker.close();
    await expect(fetch(`http://127.0.0.1:${port}/readyz`)).rejects.toThrow("fetch failed");
    const own = openSignalDatabase({ url: join(folder, "database"), env: false });
    onTestFinished(() => own.close());
    expect(await changesIn(own, "by_environment")).toEqual(changesOf(events));
  });

  test("stands beneath what code says", async () => {
    const worker = startWorker({
      database,
      history: { schema },
      kafka: { brokers, groupId },
      env: {
        SESSION_TRACKING_KAFKA_BROKERS: "127.0.0.1:1",
        SESSION_HISTORY_SCHEMA: "other",
        SESSION_HISTORY_GROUP: "g",
      },
    });
    await writeSessionEvents(brokers, topic, sessionEvents(4));
    await until(() => worker.stats().consumer?.handled === 4, worker.stats);
    expect(await changesIn(database, schema)).toEqual(changesOf(sessionEvents(4)));
  });

  test.each([
    [{ SESSION_HISTORY_SCHEME: "s" }, "- SESSION_HISTORY_SCHEME is unknown, did you mean SESSION_HISTORY_SCHEMA?"],
    [
      { SESSION_HISTORY_HEALTH_PORT: "http" },
      '- SESSION_HISTORY_HEALTH_PORT is "http", expected a port from 0 to 65535',
    ],
    [
      { SESSION_HISTORY_DATABASE: "mysql://u:hunter2@h/d" },
      "- SESSION_HISTORY_DATABASE is a secret, expected postgresql:",
    ],
    [
      { SESSION_HISTORY_TOMBSTONE_KEY_FILE: "/no/such" },
      '- SESSION_HISTORY_TOMBSTONE_KEY_FILE is "/no/such", expected',
    ],
  ])("is refused if it is wrong: %o", (env, message) => {
    const refusal = refusalOf(() => startHistoryWorker({ database, kafka: { brokers }, env }));
    expect(refusal.message).toContain(message);
    expect(refusal).toMatchObject({ option: Object.keys(env)[0], code: "ERR_ENVIRONMENT_INVALID" });
  });

  test("never makes a worker choose a history in memory", () => {
    const env = { SESSION_TRACKING_KAFKA_BROKERS: brokers, SESSION_HISTORY_DATABASE: "" };
    expect(refusalOf(() => startHistoryWorker({ env }))).toMatchObject({
      option: "database",
      code: "ERR_OPTION_MISSING",
    });
  });
});

test("a health endpoint that cannot listen ends the worker, with the reason", async () => {
  const first = startWorker({ database, history: { schema }, kafka: { brokers }, health: { port: 0 } });
  const port = await first.healthPort;
  const second = startWorker({ database, history: { schema }, kafka: { brokers }, health: { port } });
  await expect(second.closed).rejects.toThrow(/EADDRINUSE/);
  expect(await second.healthPort).toBeUndefined();
  expect(second.stats().live).toBe(false);
});
