// Services, their events and run records on the embedded broker, and the checker on what it holds then.
import { readdirSync } from "node:fs";
import { fromBinary } from "@bufbuild/protobuf";
import { expect, it, onTestFinished } from "vitest";
import { SessionActivityEventSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import {
  type SessionActivityRun,
  SessionActivityRunSchema,
} from "../../gen/sessionactivity/v1/session_activity_run_pb.js";
import { type SessionTrackingOptions, startEmbeddedKafka, startSessionTracking } from "../../src/kafka/index.js";
import { createRunChecker, type RangeReport } from "../../src/trail/index.js";
import { readRecords } from "../kafka/kafka-fixtures.js";
import { temporaryFolder } from "../spool/spool-fixtures.js";
import { accountClient, marks, startAccountServer } from "../support/account-server.js";
import { until } from "../support/until.js";

async function embedded(): Promise<string> {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  return kafka.brokers;
}

/** A service from its start to its end. */
async function runService(calls: number, options: SessionTrackingOptions): Promise<SessionTrackingStatsOf> {
  const tracking = startSessionTracking({ service: "account-service", log: false, ...options });
  const server = await startAccountServer({ changePassword: () => ({}) }, { interceptors: [tracking.interceptor] });
  for (let call = 0; call < calls; call += 1) await accountClient(server).changePassword({}, { headers: marks() });
  return tracking.shutDown();
}

type SessionTrackingStatsOf = Awaited<ReturnType<ReturnType<typeof startSessionTracking>["shutDown"]>>;

async function runsOn(brokers: string, count: number): Promise<SessionActivityRun[]> {
  const records = await readRecords(brokers, "session-activity-runs", count);
  return records.map(({ key, value }) => {
    const run = fromBinary(SessionActivityRunSchema, value!);
    expect(String(key)).toBe(run.instanceId);
    return run;
  });
}

async function checkTopics(brokers: string, events: number, runs: SessionActivityRun[]): Promise<RangeReport> {
  const checker = createRunChecker();
  const records = await readRecords(brokers, "session-activities", events);
  for (const { value } of records) checker.add(fromBinary(SessionActivityEventSchema, value!));
  for (const run of runs) checker.add(run);
  return checker.report();
}

it.each([false, true])("a service says when it starts and when it ends, with a spool: %s", async (hasSpool) => {
  const brokers = await embedded();
  const spool = hasSpool ? { directory: temporaryFolder() } : {};
  const stats = await runService(5, { kafka: { brokers }, spool });
  expect(stats.runs).toEqual({ open: 0, delivered: 2, dropped: {}, declared: 0, undeclared: 0, unnamed: 0 });
  const runs = await runsOn(brokers, 2);
  expect(runs.map(({ state, lastSequence, spooled }) => [state, lastSequence, spooled])).toEqual([
    ["STARTED", 0n, hasSpool],
    ["ENDED", 5n, hasSpool],
  ]);
  expect(runs[1]).toMatchObject({ service: "account-service", confirmedSequence: 5n, counts: { delivered: 5n } });
  expect(await checkTopics(brokers, 5, runs)).toMatchObject({
    verdict: { kind: "complete" },
    runs: [{ condition: "ended", present: 5, duplicates: 0 }],
  });
});

it("a service declares the events that Kafka did not take", async () => {
  const brokers = await embedded();
  const stats = await runService(3, { kafka: { brokers, properties: { "message.max.bytes": 1_000 } } });
  expect(stats.publisher).toMatchObject({ delivered: 3 });
  const lossy = await runService(4, { kafka: { brokers, maxQueuedBytes: 1 } });
  expect(lossy).toMatchObject({ publisher: { dropped: { queue_full: 4 } }, runs: { declared: 4, undeclared: 0 } });
  const report = await checkTopics(brokers, 3, await runsOn(brokers, 4));
  expect(report.verdict).toEqual({ kind: "incomplete", missing: 0, lost: 4 });
  expect(report.runs.map(({ lost }) => lost.map(({ reason, count }) => [reason, count]))).toEqual([
    [],
    [["queue_full", 4]],
  ]);
});

it("a service without brokers, and one that wants none, has no run records", async () => {
  const brokers = await embedded();
  expect(await runService(1, { kafka: { brokers, runsTopic: false } })).not.toHaveProperty("runs");
  expect(await runService(1, { kafka: { brokers: "" } })).not.toHaveProperty("runs");
});

it("Kafka away does not hold a service up, whose spool keeps what is left to say of its run", async () => {
  const directory = temporaryFolder();
  const startedAt = performance.now();
  const away = { brokers: "127.0.0.1:1", closeTimeoutMs: 200 };
  const stats = await runService(2, { kafka: away, spool: { directory } });
  expect(stats).toMatchObject({
    publisher: { queued: 2 },
    runs: { open: 1, delivered: 0, dropped: { close_timeout: 2 } },
  });
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  const brokers = await embedded();
  const next = startSessionTracking({ log: false, kafka: { brokers }, spool: { directory } });
  await until(() => next.stats().spool?.closedRuns === 1);
  expect((await next.shutDown()).spool).toMatchObject({ recovered: 2, closedRuns: 1 });
  expect(readdirSync(directory)).toEqual([]);
  const runs = await runsOn(brokers, 3);
  expect(runs.map(({ state }) => state).sort()).toEqual(["ENDED", "RECOVERED", "STARTED"]);
  const report = await checkTopics(brokers, 2, runs);
  expect(report.verdict).toEqual({ kind: "complete" });
  expect(report.runs.map(({ condition, present }) => [condition, present])).toEqual([
    ["recovered", 2],
    ["ended", 0],
  ]);
});
