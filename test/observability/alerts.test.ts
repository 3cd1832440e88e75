// Each alert of examples/observability/alerts.yaml: a real process is brought into the trouble and out of it again, and
// Prometheus' own tool says when the alert fires.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { type OpenSignalDatabase, openSignalDatabase } from "../../src/history/index.js";
import { SessionActivityEventSchema } from "../../src/index.js";
import { startEmbeddedKafka } from "../../src/kafka/index.js";
import { instrumentSessionActivityConsumer, instrumentSessionTracking } from "../../src/telemetry/index.js";
import { sessionEvents, startWorker, writeSessionEvents } from "../cli/cli-fixtures.js";
import { read } from "../docs/pages.js";
import { startConsumer, write } from "../kafka/consumer/consumer-fixtures.js";
import { eventOf } from "../kafka/kafka-fixtures.js";
import { startProxy } from "../kafka/proxy.js";
import { gate, routesOf, serve, start } from "../service/wired-service.js";
import { accountClient, marks } from "../support/account-server.js";
import { until } from "../support/until.js";
import { startMetrics } from "../telemetry/metrics-fixtures.js";
import { promtool } from "./promtool.js";
import { aheadClock, type Phase, Recording, record } from "./recording.js";

const topic = "session-activities";
const alerts = [...read("examples/observability/alerts.yaml").matchAll(/- alert: (\w+)/g)].map(([, name]) => name!);
const shown = new Set<string>();

/** Expects an alert to be silent before the trouble, to fire at its end, and to be silent again at the end of the recovery. */
function expectAlert(
  alert: string,
  recording: Recording,
  [calm = 0, trouble = 0, recovered = 0]: readonly number[],
): void {
  expect(alerts).toContain(alert);
  shown.add(alert);
  const expectations = [
    { minute: calm, firing: false },
    { minute: trouble, firing: true },
    { minute: recovered, firing: false },
  ];
  expect(recording.contradictions(alert, expectations)).toBe("");
}

/** A service whose broker stands behind a door, and what a server reads from it. */
async function startService(options: Parameters<typeof start>[0] = {}) {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  const door = await startProxy();
  await door.open(kafka.brokers);
  onTestFinished(() => door.shut());
  const metrics = startMetrics();
  const { tracking } = start({
    ...options,
    onDrop: undefined,
    kafka: {
      brokers: door.address,
      closeTimeoutMs: 100,
      properties: { "reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 50 },
      ...options.kafka,
    },
  });
  instrumentSessionTracking(tracking, { meter: metrics.meter });
  const { opened, open } = gate();
  const routes = routesOf({
    async changePassword({ oldPassword }) {
      if (oldPassword === "hang") await opened;
      return {};
    },
  });
  const served = await serve(tracking, { routes });
  const client = accountClient(served);
  return {
    tracking,
    recording: new Recording(),
    scrape: metrics.text,
    client,
    release: open,
    baseUrl: served.baseUrl,
    shut: () => door.shut(),
    reopen: () => door.open(kafka.brokers),
    calls: (count: number) =>
      Promise.all(Array.from({ length: count }, () => client.changePassword({}, { headers: marks() }))),
    delivered: () => until(() => tracking.stats().publisher.queued === 0, tracking.stats),
  };
}

it("Kafka cannot be reached: nothing is delivered, the queue fills, and events are dropped", async () => {
  const service = await startService({ kafka: { maxQueuedEvents: 400 } });
  const { calls, delivered } = service;
  const ends = await record(service.recording, service.scrape, [
    { minutes: 12, act: () => calls(5).then(delivered) },
    { minutes: 20, act: async (minute) => (minute === 0 ? service.shut() : calls(30)) },
    {
      minutes: 25,
      act: async (minute) => (minute === 0 ? service.reopen().then(delivered) : calls(5).then(delivered)),
    },
  ]);
  expect(service.tracking.stats().publisher.dropped.queue_full).toBeGreaterThan(0);
  expectAlert("SessionActivityEventsDropped", service.recording, ends);
  expectAlert("SessionActivityNothingDelivered", service.recording, ends);
  // Until the queue is full.
  expectAlert("SessionActivityQueueFilling", service.recording, [ends[0]!, ends[0]! + 13, ends[2]!]);
});

it("marks that do not hold, marks without a context, and marked calls that never come by", async () => {
  const service = await startService({ required: [AccountService.method.changePassword] });
  const path = `${service.baseUrl}/example.account.v1.AccountService/ChangePassword`;
  const calm: Phase = { minutes: 15, act: () => service.calls(3).then(service.delivered) };
  const ends = await record(service.recording, service.scrape, [
    calm,
    {
      minutes: 12,
      async act() {
        await Promise.all(Array.from({ length: 4 }, () => service.client.changePassword({})));
        await service.client.changePassword({}, { headers: marks("") });
        const refused = { ...marks(), "content-type": "text/plain" };
        await Promise.all(Array.from({ length: 4 }, () => postOverHttp2(path, refused)));
      },
    },
    { ...calm, minutes: 25 },
  ]);
  expectAlert("SessionActivityMarksNotVerified", service.recording, ends);
  expectAlert("SessionActivityCallsBypassed", service.recording, ends);
});

it("marks without a session context", async () => {
  const service = await startService();
  const calm: Phase = { minutes: 15, act: () => service.calls(3).then(service.delivered) };
  const ends = await record(service.recording, service.scrape, [
    calm,
    { minutes: 5, act: () => service.client.changePassword({}, { headers: marks("") }) },
    { ...calm, minutes: 15 },
  ]);
  expectAlert("SessionActivityCallsSkipped", service.recording, ends);
});

it("a handler hangs", async () => {
  const service = await startService();
  const clock = aheadClock();
  let hanging: Promise<unknown> | undefined;
  const ends = await record(service.recording, service.scrape, [
    { minutes: 3, act: () => clock.advance(60_000) },
    {
      minutes: 35,
      async act() {
        hanging ??= service.client.changePassword({ oldPassword: "hang" }, { headers: marks() });
        await until(() => service.tracking.stats().interceptor.open === 1);
        clock.advance(60_000);
      },
    },
    {
      minutes: 3,
      async act() {
        service.release();
        await hanging;
        clock.advance(60_000);
      },
    },
  ]);
  expectAlert("SessionActivityCallHangs", service.recording, ends);
});

/** A service with a spool, and what lets its calls get there. */
async function startSpooling(maxBytes: number) {
  const directory = mkdtempSync(join(tmpdir(), "alerts-spool-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const service = await startService({ spool: { directory, maxBytes } });
  const isStored = (): boolean => service.tracking.stats().spool?.writeDelayMs === 0;
  return { ...service, stored: () => until(isStored, service.tracking.stats) };
}

it("what lies in the spool grows old", async () => {
  const service = await startSpooling(1_048_576);
  const clock = aheadClock();
  // Not while something is being written, which would look as if the disk hung.
  const minutePasses = async (): Promise<void> => {
    await service.stored();
    clock.advance(60_000);
  };
  const calm: Phase = { minutes: 3, act: () => service.calls(3).then(service.delivered).then(minutePasses) };
  const ends = await record(service.recording, service.scrape, [
    calm,
    {
      minutes: 15,
      async act(minute) {
        if (minute === 0) await service.shut();
        await service.calls(3).then(minutePasses);
      },
    },
    {
      ...calm,
      async act(minute) {
        if (minute === 0) await service.reopen();
        await calm.act(minute);
      },
    },
  ]);
  expectAlert("SessionActivitySpoolOld", service.recording, ends);
});

it("the spool is full", async () => {
  const service = await startSpooling(65_536);
  const calm: Phase = { minutes: 15, act: () => service.calls(3).then(service.delivered) };
  const ends = await record(service.recording, service.scrape, [
    calm,
    {
      minutes: 6,
      async act(minute) {
        if (minute === 0) await service.shut();
        await service.calls(100).then(service.stored);
      },
    },
    {
      ...calm,
      async act(minute) {
        if (minute === 0) await service.reopen();
        await calm.act(minute);
      },
    },
  ]);
  expect(service.tracking.stats().spool?.unrecorded).toEqual({ full: expect.any(Number) });
  expectAlert("SessionActivitySpoolNotRecording", service.recording, ends);
});

it("a consumer's handler fails: it is behind, and stands still", async () => {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  const metrics = startMetrics();
  const clock = aheadClock();
  let works = true;
  const consumer = startConsumer({
    brokers: kafka.brokers,
    topic,
    stuckAfterMs: 100,
    retry: { backoffMs: 10, maxBackoffMs: 20 },
    log: false,
    handle() {
      if (!works) throw new Error("no");
    },
  });
  instrumentSessionActivityConsumer(consumer, { meter: metrics.meter });
  const idle = () => until(() => consumer.stats().lag === 0 && consumer.stats().oldestInHandMs === 0, consumer.stats);
  const recording = new Recording();
  let written = 0;
  const writeSome = async (count: number): Promise<void> => {
    const records = Array.from({ length: count }, (_, index) => ({
      partition: 0,
      value: toBinary(SessionActivityEventSchema, eventOf(written + index)),
    }));
    written += count;
    await write(kafka.brokers, topic, records);
  };
  await until(() => consumer.stats().assigned === 4, consumer.stats);
  const ends = await record(recording, metrics.text, [
    { minutes: 12, act: () => writeSome(100).then(idle) },
    {
      minutes: 15,
      async act(minute) {
        works = false;
        if (minute < 3) await writeSome(800);
        clock.advance(60_000);
        await until(() => consumer.stats().lag >= Math.min(3, minute + 1) * 800, consumer.stats);
      },
    },
    {
      minutes: 12,
      async act() {
        works = true;
        await writeSome(10);
        await idle();
      },
    },
  ]);
  expectAlert("SessionActivityConsumerBehind", recording, ends);
  expectAlert("SessionActivityConsumerStandsStill", recording, ends);
});

it("records that hold no event", async () => {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  const metrics = startMetrics();
  const consumer = startConsumer({ brokers: kafka.brokers, topic, handle() {}, onInvalid() {}, log: false });
  instrumentSessionActivityConsumer(consumer, { meter: metrics.meter });
  const recording = new Recording();
  const ends = await record(recording, metrics.text, [
    { minutes: 12, act() {} },
    {
      minutes: 3,
      async act(minute) {
        await write(kafka.brokers, topic, [{ partition: 0, value: Buffer.from("not an event") }]);
        await until(() => consumer.stats().invalid.undecodable === minute + 1, consumer.stats);
      },
    },
    { minutes: 12, act() {} },
  ]);
  expectAlert("SessionActivityRecordsSetAside", recording, ends);
});

let database: OpenSignalDatabase;
beforeAll(async () => {
  database = openSignalDatabase();
  await database.query("select 1");
}, 60_000);
afterAll(() => database.close());

it("a history worker meets poison, and then a database that is away", async () => {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  let code: string | undefined;
  const worker = startWorker({
    database: {
      async query(text, values) {
        const refuses = code !== undefined && (code === "ECONNREFUSED" || text.includes("record_activities"));
        if (refuses) throw Object.assign(new Error("no"), { code });
        return database.query(text, values);
      },
    },
    log: false,
    health: { port: 0, host: "127.0.0.1" },
    kafka: { brokers: kafka.brokers, groupId: "history" },
  });
  const url = `http://127.0.0.1:${await worker.healthPort}/metrics`;
  const scrape = async () => (await fetch(url)).text();
  await until(() => worker.stats().ready, worker.stats);
  const [event, ...events] = sessionEvents(20);
  const recording = new Recording();
  let handled = 0;
  const handle = async (index: number): Promise<void> => {
    await writeSessionEvents(kafka.brokers, topic, [events[index]!]);
    handled += 1;
    await until(() => worker.stats().consumer?.handled === handled, worker.stats);
  };
  const poisoned = await record(recording, scrape, [
    { minutes: 12, act() {} },
    {
      minutes: 3,
      async act(minute) {
        code = "22P02";
        await handle(minute);
      },
    },
    {
      minutes: 12,
      act() {
        code = undefined;
      },
    },
  ]);
  expectAlert("SessionActivityHistorySetsAside", recording, poisoned);
  const [, away = 0, back = 0] = await record(recording, scrape, [
    { minutes: 1, act: () => handle(4) },
    {
      minutes: 8,
      async act(minute) {
        code = "ECONNREFUSED";
        if (minute === 0) await writeSessionEvents(kafka.brokers, topic, [event!]);
        await until(() => !worker.stats().ready, worker.stats);
      },
    },
    {
      minutes: 3,
      async act() {
        code = undefined;
        await until(() => worker.stats().ready, worker.stats);
      },
    },
  ]);
  expectAlert("SessionActivityWorkerNotReady", recording, [poisoned[2]!, away, back]);
});

it("the rules are valid, and each of them was shown to fire and to clear", () => {
  const { status, output } = promtool([
    "check",
    "rules",
    "--lint=all",
    "--lint-fatal",
    "examples/observability/alerts.yaml",
  ]);
  expect(output).toContain(`${alerts.length} rules found`);
  expect(status).toBe(0);
  expect(alerts.length).toBeGreaterThan(8);
  expect([...shown].toSorted()).toEqual(alerts.toSorted());
});

async function postOverHttp2(url: string, headers: Record<string, string>): Promise<void> {
  const { connect } = await import("node:http2");
  const { origin, pathname } = new URL(url);
  const session = connect(origin);
  const stream = session.request({ ":method": "POST", ":path": pathname, ...headers });
  stream.end("x");
  await new Promise((resolve) => stream.on("response", resolve));
  stream.resume();
  await new Promise<void>((resolve) => session.close(resolve));
}
