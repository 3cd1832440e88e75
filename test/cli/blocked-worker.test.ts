// What a worker does when it is refused, when something does not settle, and when one event cannot be stored.
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import {
  createSignalHistory,
  type OpenSignalDatabase,
  openSignalDatabase,
  type SignalDatabase,
} from "../../src/history/index.js";
import { startEmbeddedKafka } from "../../src/kafka/embedded.js";
import { recordingLogger } from "../kafka/kafka-fixtures.js";
import { until } from "../support/until.js";
import { changesIn, changesOf, sessionEvents, startWorker, writeSessionEvents } from "./cli-fixtures.js";

const topic = "session-activities";
const groupId = "session-activity-history";
let brokers: string;
let database: OpenSignalDatabase;
let schema: string;
let schemas = 0;
beforeAll(async () => {
  database = openSignalDatabase();
  await database.query("select 1");
}, 60_000);
afterAll(() => database.close());
beforeEach(async () => {
  schemas += 1;
  schema = `blocked_${schemas}`;
  const kafka = await startEmbeddedKafka();
  ({ brokers } = kafka);
  onTestFinished(() => kafka.close());
});

/** A database that does something else with what is asked, if there is an answer for it. */
function withAnswers(answer: (values: unknown[] | undefined) => Promise<never> | undefined): SignalDatabase {
  return { query: (text, values) => answer(values) ?? database.query(text, values) };
}

const refused = (): Promise<never> =>
  Promise.reject(Object.assign(new Error('password authentication failed for user "recorder"'), { code: "28P01" }));
const kindsOf = ({ lines }: ReturnType<typeof recordingLogger>): unknown[] =>
  lines.map(({ details }) => Reflect.get(details, "kind"));

describe("a worker whose password is changed while it runs", { timeout: 60_000 }, () => {
  test("tries again, is not ready, and ends with what to do when that has lasted", async () => {
    const log = recordingLogger();
    let isRefused = false;
    const worker = startWorker({
      database: withAnswers(() => (isRefused ? refused() : undefined)),
      history: { schema },
      kafka: { brokers, groupId },
      giveUpAfterMs: 2_000,
      maxBackoffMs: 50,
      log,
    });
    const events = sessionEvents(400);
    await writeSessionEvents(brokers, topic, events.slice(0, 200));
    await until(() => worker.stats().history.recorded === 200, worker.stats);
    isRefused = true;
    await writeSessionEvents(brokers, topic, events.slice(200));
    await until(() => worker.stats().problems.includes("handler_blocked"), worker.stats);
    expect(worker.stats()).toMatchObject({ live: true, ready: false, consumer: { assigned: 4, invalid: {} } });
    expect(worker.stats().problems).toContain("database_refuses");
    await expect(worker.closed).rejects.toThrow(
      'refused for 2 s: the database refuses: 28P01 password authentication failed for user "recorder": check user and password',
    );
    expect(worker.stats()).toMatchObject({ live: false, ready: false, problems: expect.arrayContaining(["stopping"]) });
    expect(worker.stats().consumer?.retried).toBeGreaterThan(4);
    expect(kindsOf(log)).toEqual(expect.arrayContaining(["database_refuses", "handler_blocked"]));
    expect(kindsOf(log)).not.toContain("database_down");
    // Nothing is lost: another one goes on from here.
    const next = startWorker({ database, history: { schema }, kafka: { brokers, groupId } });
    await until(() => next.stats().history.recorded === 200, next.stats);
    expect(await changesIn(database, schema)).toEqual(changesOf(events));
  });

  test("goes on if somebody acts in time", async () => {
    let isRefused = false;
    const worker = startWorker({
      database: withAnswers(() => (isRefused ? refused() : undefined)),
      history: { schema },
      kafka: { brokers, groupId },
    });
    const events = sessionEvents(400);
    await until(() => worker.stats().ready, worker.stats);
    isRefused = true;
    await writeSessionEvents(brokers, topic, events);
    await until(() => (worker.stats().consumer?.retried ?? 0) > 8, worker.stats);
    isRefused = false;
    await until(() => worker.stats().history.recorded === 400, worker.stats);
    await until(() => worker.stats().ready, worker.stats);
    expect(await changesIn(database, schema)).toEqual(changesOf(events));
  });
});

describe("a statement that is not answered", { timeout: 60_000 }, () => {
  test("makes the worker not ready, and is logged; when the answer comes, it goes on", async () => {
    const log = recordingLogger();
    const open: (() => void)[] = [];
    let isStuck = true;
    const worker = startWorker({
      database: withAnswers((values) =>
        isStuck && String(values?.[0]).includes("event-000150")
          ? new Promise((_, reject) =>
              open.push(() => reject(Object.assign(new Error("reset"), { code: "ECONNRESET" }))),
            )
          : undefined,
      ),
      history: { schema },
      kafka: { brokers, groupId },
      stuckAfterMs: 200,
      log,
    });
    await writeSessionEvents(brokers, topic, sessionEvents(400));
    await until(() => worker.stats().problems.includes("standstill"), worker.stats);
    expect(worker.stats()).toMatchObject({ live: true, ready: false });
    await until(() => worker.stats().problems.includes("database_stuck"), worker.stats);
    expect(worker.stats().consumer?.oldestInHandMs).toBeGreaterThan(0);
    await until(() => kindsOf(log).includes("handler_stuck") && kindsOf(log).includes("database_stuck"));
    // The other partitions go on.
    await until(() => worker.stats().history.recorded >= 300, worker.stats);
    isStuck = false;
    for (const answer of open.splice(0)) answer();
    await until(() => worker.stats().history.recorded === 400, worker.stats);
    await until(() => worker.stats().ready, worker.stats);
  });

  test("at the start, it is logged, and the worker is not ready", async () => {
    const log = recordingLogger();
    const silent = withAnswers(() => new Promise<never>(() => {}));
    const worker = startWorker({ database: silent, kafka: { brokers, groupId }, stuckAfterMs: 100, log });
    await until(() => kindsOf(log).includes("database_stuck"));
    expect(worker.stats()).toMatchObject({ live: true, ready: false, consumer: undefined });
    expect(worker.stats().problems).toContain("database_stuck");
    await worker.close();
    expect(worker.stats().live).toBe(false);
  });
});

describe("an event that the database can never store", { timeout: 60_000 }, () => {
  test("is set aside and counted, and stops neither its batch nor the readiness", async () => {
    const events = sessionEvents(400);
    const worker = startWorker({
      database: withAnswers((values) =>
        String(values?.[0]).includes('"event_id":"event-000150","session_id"')
          ? Promise.reject(Object.assign(new Error("invalid input"), { code: "22P02" }))
          : undefined,
      ),
      history: { schema },
      kafka: { brokers, groupId },
      log: false,
    });
    await writeSessionEvents(brokers, topic, events);
    await until(() => worker.stats().consumer?.handled === 400, worker.stats);
    await until(() => worker.stats().ready, worker.stats);
    expect(worker.stats()).toMatchObject({ consumer: { handled: 400, invalid: {} }, history: { setAside: 1 } });
    const history = createSignalHistory({ database, schema, env: false });
    const [aside, ...others] = await history.listSetAside();
    expect(aside).toMatchObject({ eventId: "event-000150", topic, reason: "22P02", retryable: true });
    expect(others).toEqual([]);
    // Now that the database takes it.
    expect(await history.retrySetAside()).toMatchObject({ recorded: 1, kept: 0 });
    expect(await changesIn(database, schema)).toEqual(changesOf(events));
  });
});
