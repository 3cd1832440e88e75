// Services that end in every way, and what the checker says of their runs then.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { fromBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { SessionActivityEventSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { SessionActivityRunSchema } from "../../gen/sessionactivity/v1/session_activity_run_pb.js";
import { type SessionTrackingOptions, startSessionTracking } from "../../src/kafka/index.js";
import { createRunChecker, type RangeReport } from "../../src/trail/index.js";
import { compileKafkaEntry } from "../kafka/compiled.js";
import { recordingLogger } from "../kafka/kafka-fixtures.js";
import { temporaryFolder } from "../spool/spool-fixtures.js";
import { accountClient, marks, startAccountServer } from "../support/account-server.js";
import { until } from "../support/until.js";
import { startTarget, type Target } from "./kafka-target.js";
import { startSecureBroker } from "./secure-broker.js";

const script = fileURLToPath(new URL("killed-service.mjs", import.meta.url));
const minuteMs = 60_000;
let target: Target;
let compiled: string;
beforeAll(async () => {
  compiled = dirname(dirname(dirname(compileKafkaEntry())));
  target = await startTarget();
});
afterAll(() => target?.close());

interface Topics {
  readonly topic: string;
  readonly runsTopic: string;
}

async function newTopics(): Promise<Topics> {
  return { topic: await target.topic(3), runsTopic: await target.topic(1) };
}

/** Starts a service in a process of its own, and kills it in the middle of a call. */
async function killService(options: SessionTrackingOptions): Promise<void> {
  const child: ChildProcess = spawn(process.execPath, [script, compiled, JSON.stringify(options)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child.stdout!, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
}

async function check({ topic, runsTopic }: Topics, nowMs: number): Promise<RangeReport> {
  const checker = createRunChecker({ now: new Date(nowMs) });
  for (const { value } of await target.read(runsTopic)) checker.add(fromBinary(SessionActivityRunSchema, value!));
  for (const { value } of await target.read(topic)) checker.add(fromBinary(SessionActivityEventSchema, value!));
  return checker.report();
}

test("a service that is killed and has a spool: the next one closes its run, and nothing is missing", async () => {
  const topics = await newTopics();
  const options = { kafka: { brokers: target.brokers, ...topics }, spool: { directory: temporaryFolder() } };
  await killService(options);
  const between = await check(topics, Date.now() + 6 * minuteMs);
  expect(between.runs).toMatchObject([
    { condition: "silent", present: 5, verdict: { kind: "unknown", reason: "silent" } },
  ]);
  const next = startSessionTracking({ env: false, log: false, ...options });
  await until(
    () => next.stats().spool?.closedRuns === 1,
    () => next.stats(),
  );
  await next.shutDown();
  const report = await check(topics, Date.now());
  expect(report.verdict).toEqual({ kind: "complete" });
  expect(report.runs).toMatchObject([
    { service: "killed", condition: "recovered", checked: { first: 1, last: 6 }, present: 6, duplicates: 0 },
    { condition: "ended", present: 0 },
  ]);
});

test("a service that is killed and has no spool: dead, its tail unknown", async () => {
  const topics = await newTopics();
  await killService({ kafka: { brokers: target.brokers, ...topics } });
  expect((await check(topics, Date.now())).runs).toMatchObject([{ condition: "open" }]);
  const report = await check(topics, Date.now() + 6 * minuteMs);
  expect(report.runs).toMatchObject([{ condition: "dead", present: 5, verdict: { kind: "unknown", reason: "dead" } }]);
  expect(report.verdict).toEqual({ kind: "unknown", runs: 1 });
});

test("a service that may not write run records: its events go on, with a count and one line", async () => {
  const secure = await startSecureBroker();
  onTestFinished(() => secure.close());
  await secure.cluster.admin.createTopic("events", 3);
  await secure.cluster.admin.createTopic("runs", 1);
  await secure.allow("writer", ["write", "topic", "events"], ["describe", "topic", "events"]);
  const log = recordingLogger();
  const properties = {
    "security.protocol": "sasl_ssl",
    "ssl.ca.location": secure.certificates.ca,
    "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.username": "writer",
    "sasl.password": secure.passwords["writer"]!,
  };
  const kafka = { brokers: secure.address("SASL"), topic: "events", runsTopic: "runs", properties };
  const tracking = startSessionTracking({ env: false, log, service: "account-service", kafka });
  const server = await startAccountServer({ changePassword: () => ({}) }, { interceptors: [tracking.interceptor] });
  const client = accountClient(server);
  const refused = (): boolean => (tracking.stats().runs?.dropped.unauthorized ?? 0) > 0;
  for (let call = 0; call < 20; call += 1) await client.changePassword({}, { headers: marks() });
  await until(refused, () => tracking.stats());
  expect(tracking.ready()).toMatchObject({ ready: true, problems: expect.arrayContaining(["runs_failed"]) });
  for (let call = 0; call < 20; call += 1) await client.changePassword({}, { headers: marks() });
  const { publisher, runs } = await tracking.shutDown();
  expect(publisher).toEqual({ offered: 40, delivered: 40, dropped: {}, queued: 0 });
  expect(runs).toMatchObject({ delivered: 0, dropped: { unauthorized: 2 } });
  const kinds = log.lines.map(({ details }) => ("kind" in details ? details.kind : undefined));
  expect(kinds.filter((kind) => kind === "run_record_dropped")).toHaveLength(1);
  expect(kinds.filter((kind) => String(kind).startsWith("drop_"))).toEqual([]);
});
