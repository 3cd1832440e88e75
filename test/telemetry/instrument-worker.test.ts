import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import type { WorkerProblem } from "../../src/cli/worker-problems.js";
import {
  type LateReason,
  type NotRecordedReason,
  type OpenSignalDatabase,
  openSignalDatabase,
} from "../../src/history/index.js";
import { startEmbeddedKafka } from "../../src/kafka/index.js";
import { instrumentHistoryWorker, instrumentSessionActivityConsumer } from "../../src/telemetry/index.js";
import {
  lateReasons,
  notRecordedReasons,
  workerInstruments,
  workerProblems,
} from "../../src/telemetry/worker-instruments.js";
import { flaky, sessionEvents, startWorker, writeSessionEvents } from "../cli/cli-fixtures.js";
import { refusalOf } from "../support/refusal.js";
import { until } from "../support/until.js";
import { readText, startMetrics } from "./metrics-fixtures.js";

const topic = "session-activities";
let database: OpenSignalDatabase;
beforeAll(async () => {
  database = openSignalDatabase();
  await database.query("select 1");
}, 60_000);
afterAll(() => database.close());

it("its /metrics and a real SDK give the same series under the same names", { timeout: 60_000 }, async () => {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  const metrics = startMetrics();
  const worker = startWorker({
    database: flaky(database),
    health: { port: 0, host: "127.0.0.1" },
    kafka: { brokers: kafka.brokers, groupId: "history" },
  });
  instrumentHistoryWorker(worker, { meter: metrics.meter });
  const isIdleAfter = (count: number): boolean => {
    const { handled, oldestInHandMs } = worker.stats().consumer ?? {};
    return handled === count && oldestInHandMs === 0;
  };
  await writeSessionEvents(kafka.brokers, topic, sessionEvents(40));
  await until(() => isIdleAfter(40), worker.stats);
  const response = await fetch(`http://127.0.0.1:${await worker.healthPort}/metrics`);
  const own = readText(await response.text());
  const sdk = readText(await metrics.text());
  expect([...own.keys()].toSorted()).toEqual([...sdk.keys()].toSorted());
  // Database time goes on.
  const lasting = [...own].filter(([name]) => !name.startsWith("session_activity_database"));
  expect(Object.fromEntries(lasting)).toEqual(Object.fromEntries(lasting.map(([name]) => [name, sdk.get(name)])));
  expect(own.get("session_activity_history_recorded_total")).toBe(40);
  expect(own.get("session_activity_worker_ready")).toBe(1);
  expect(own.get("session_activity_database_statement_ended_total")).toBeGreaterThan(0);
  expect(own.get("session_activity_database_time_total")).toBeGreaterThan(0);
  expect(own.size).toBeGreaterThan(workerInstruments.length);
});

it("tells what keeps a worker from its work, and how often the database failed", { timeout: 60_000 }, async () => {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  const metrics = startMetrics();
  const away = flaky(database);
  away.way = "cut";
  const worker = startWorker({ database: away, kafka: { brokers: kafka.brokers, groupId: "away" } });
  instrumentHistoryWorker(worker, { meter: metrics.meter });
  const consumer = { stats: () => worker.stats().consumer! };
  expect(refusalOf(() => instrumentSessionActivityConsumer(consumer, { meter: metrics.meter }))).toMatchObject({
    code: "ERR_OPTION_CONFLICT",
  });
  await until(() => worker.stats().database.failed > 1, worker.stats);
  const series = await metrics.series();
  expect(series).toMatchObject({
    "session_activity.worker.ready": 0,
    "session_activity.worker.problem{session_activity.problem=database_away}": 1,
    "session_activity.worker.problem{session_activity.problem=database_refuses}": 0,
  });
  expect(series["session_activity.database.statement.failed"]).toBeGreaterThan(1);
  // It has no consumer yet.
  expect(Object.keys(series).filter((name) => name.includes("consumer"))).toEqual([]);
  away.way = "open";
  await until(() => worker.stats().ready, worker.stats);
  expect(await metrics.series()).toMatchObject({
    "session_activity.worker.ready": 1,
    "session_activity.worker.problem{session_activity.problem=database_away}": 0,
    "session_activity.consumer.joined": 1,
  });
});

it("knows every reason and every problem", () => {
  // The compiler says so: these lists stand apart from the types, since entries do not import each other.
  const late: Readonly<Record<LateReason, 0>> = lateReasons;
  const notRecorded: Readonly<Record<NotRecordedReason, 0>> = notRecordedReasons;
  const problems: Readonly<Record<WorkerProblem, 0>> = workerProblems;
  expect([late, notRecorded, problems].map((names) => Object.keys(names).length)).toEqual([3, 5, 9]);
});
