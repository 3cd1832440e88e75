import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, it, onTestFinished } from "vitest";
import {
  createEventRecord,
  createMemoryPublisher,
  createSessionActivityInterceptor,
  SessionActivityEventSchema,
  type Settled,
} from "../../src/index.js";
import { startEmbeddedKafka } from "../../src/kafka/index.js";
import type { SessionTracking } from "../../src/service/tracking.js";
import { instrumentSessionTracking } from "../../src/telemetry/index.js";
import { trackingInstruments } from "../../src/telemetry/tracking-instruments.js";
import { createTestTracking } from "../../src/testing/index.js";
import { routesOf, serve, start } from "../service/wired-service.js";
import { accountClient, marks, startAccountServer } from "../support/account-server.js";
import { refusalOf } from "../support/refusal.js";
import { until } from "../support/until.js";
import { startMetrics } from "./metrics-fixtures.js";

const context = "secret-session-context";

async function startKafka(): Promise<string> {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  return kafka.brokers;
}

const routes = routesOf({
  changePassword({ oldPassword }) {
    if (oldPassword === "wrong") throw new ConnectError("no", Code.PermissionDenied);
    return {};
  },
});

it("gives what real calls did to a real SDK", async () => {
  const metrics = startMetrics();
  const { tracking } = start({ kafka: { brokers: await startKafka() }, onDrop: undefined });
  instrumentSessionTracking(tracking, { meter: metrics.meter });
  const client = accountClient(await serve(tracking, { routes }));
  const call = (oldPassword: string, headers = marks(context)) =>
    client.changePassword({ oldPassword }, { headers }).catch(() => {});
  await Promise.all(["right", "right", "wrong"].map((password) => call(password)));
  await call("right", marks(""));
  await until(() => tracking.stats().publisher.delivered === 3, tracking.stats);
  expect(await metrics.series()).toMatchObject({
    "session_activity.call.open": 0,
    "session_activity.call.oldest.age": 0,
    "session_activity.call.ended{session_activity.status=OK,session_activity.status_inferred=false}": 2,
    "session_activity.call.ended{session_activity.status=OK,session_activity.status_inferred=true}": 0,
    "session_activity.call.ended{session_activity.status=PERMISSION_DENIED,session_activity.status_inferred=false}": 1,
    "session_activity.call.skipped{session_activity.reason=context_empty}": 1,
    "session_activity.call.skipped{session_activity.reason=refused}": 0,
    "session_activity.call.bypassed": 0,
    "session_activity.call.left_early": 0,
    "session_activity.event.offered": 3,
    "session_activity.event.delivered": 3,
    "session_activity.event.dropped{session_activity.reason=queue_full}": 0,
    "session_activity.event.queued": 0,
    "session_activity.event.delivery.duration": 3,
  });
  expect(await metrics.text()).not.toContain(context);
});

it("counts inferred statuses, forged marks and calls that never came by", async () => {
  const metrics = startMetrics();
  const tracking = createTestTracking({ required: ["/example.account.v1.AccountService/ChangePassword"] });
  onTestFinished(() => void tracking.shutDown({ graceMs: 0 }));
  instrumentSessionTracking(tracking, { meter: metrics.meter });
  const hanging = routesOf({
    changePassword: (_, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(new ConnectError("left", Code.Canceled)));
      }),
  });
  const served = await serve(tracking, { routes: hanging }, "1.1");
  const client = accountClient(served, "connect", "1.1");
  const leaving = new AbortController();
  const call = client.changePassword({}, { headers: marks(context), signal: leaving.signal });
  await until(() => tracking.stats().interceptor.open === 1);
  leaving.abort();
  await expect(call).rejects.toThrow();
  // Connect refuses it before any interceptor.
  await fetch(`${served.baseUrl}/example.account.v1.AccountService/ChangePassword`, {
    method: "POST",
    headers: { ...marks(context), "content-type": "text/plain" },
    body: "x",
  });
  const unmarked = client.changePassword({}, { signal: AbortSignal.timeout(100) });
  await expect(unmarked).rejects.toThrow();
  await until(() => tracking.stats().publisher.offered === 2 && tracking.stats().interceptor.bypassed === 1);
  const series = await metrics.series();
  const inferred = Object.entries(series).filter(([name]) => name.endsWith("session_activity.status_inferred=true}"));
  expect(inferred.reduce((sum, [, value]) => sum + value, 0)).toBe(tracking.stats().interceptor.inferred);
  expect(tracking.stats().interceptor.inferred).toBeGreaterThan(0);
  expect(series).toMatchObject({
    "session_activity.call.bypassed": 1,
    "session_activity.call.unverified{session_activity.reason=missing}": 1,
    "session_activity.call.unverified{session_activity.reason=key_stale}": 0,
  });
});

it("tells how much lies in the spool, and since when", async () => {
  const directory = mkdtempSync(join(tmpdir(), "telemetry-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const metrics = startMetrics();
  const { tracking } = start({
    // Nobody listens there.
    kafka: { brokers: "127.0.0.1:1", closeTimeoutMs: 10 },
    spool: { directory },
    onDrop: undefined,
  });
  onTestFinished(() => void tracking.close());
  instrumentSessionTracking(tracking, { meter: metrics.meter });
  const client = accountClient(await serve(tracking, { routes }));
  await client.changePassword({}, { headers: marks(context) });
  await until(() => tracking.stats().spool?.stored === 1, tracking.stats);
  const { spool } = tracking.stats();
  const series = await metrics.series();
  expect(series).toMatchObject({
    "session_activity.spool.stored": 1,
    "session_activity.spool.size": spool?.storedBytes,
    "session_activity.spool.set_aside{session_activity.reason=damaged}": 0,
    "session_activity.event.queued": 1,
  });
  expect(series["session_activity.spool.oldest.age"]).toBeGreaterThanOrEqual(0);
});

it("has no series of a spool or of runs, if there are none", async () => {
  const metrics = startMetrics();
  instrumentSessionTracking(createTestTracking(), { meter: metrics.meter });
  const names = Object.keys(await metrics.series());
  expect(names.filter((name) => /spool|run/.test(name))).toEqual([]);
  const withRuns = {
    ...createTestTracking().stats(),
    runs: { open: 2, delivered: 1, dropped: {}, declared: 0, undeclared: 0, unnamed: 0 },
  };
  const run = trackingInstruments.find(({ name }) => name === "session_activity.run.open");
  expect(run?.read(withRuns)).toEqual([{ value: 2 }]);
});

it("measures a delivery from the end of its call", async () => {
  const metrics = startMetrics();
  const tracking = createTestTracking();
  instrumentSessionTracking(tracking, { meter: metrics.meter });
  const slow = routesOf({
    async changePassword() {
      await new Promise((resolve) => setTimeout(resolve, 300));
      return {};
    },
  });
  const client = accountClient(await serve(tracking, { routes: slow }));
  await client.changePassword({}, { headers: marks(context) });
  await until(() => tracking.stats().publisher.delivered === 1);
  const histogram = (await metrics.collect()).get("session_activity.event.delivery.duration");
  const value = histogram?.dataPoints[0]?.value as { count: number; sum: number };
  expect(value.count).toBe(1);
  // The publisher has it at once. The call took much longer.
  expect(value.sum).toBeLessThan(0.25);
});

it("asks a publisher for outcomes only as long as somebody listens, and may be listened to badly", async () => {
  const asked: (Settled | undefined)[] = [];
  const memory = createMemoryPublisher();
  const warnings: unknown[] = [];
  const warn = (details: object): void => void warnings.push(details);
  const { tracking } = start({ onDrop: undefined, log: { debug() {}, info() {}, warn, error: warn } });
  const interceptor = createSessionActivityInterceptor({
    service: "account-service",
    publisher: {
      ...memory,
      publish(record, settled) {
        asked.push(settled);
        memory.publish(record, settled);
      },
    },
  });
  const server = await startAccountServer({ changePassword: () => ({}) }, { interceptors: [interceptor] });
  await accountClient(server).changePassword({}, { headers: marks() });
  expect(asked).toEqual([undefined]);

  const outcomes: string[] = [];
  const client = accountClient(await serve(tracking, { routes }));
  const stopBad = tracking.onSettled(() => {
    throw new Error("bad");
  });
  const stop = tracking.onSettled((outcome) => outcomes.push(outcome));
  await client.changePassword({}, { headers: marks() });
  expect(outcomes).toEqual(["no_brokers"]);
  expect(warnings).toContainEqual(expect.objectContaining({ kind: "on_settled" }));
  stop();
  stop();
  await client.changePassword({}, { headers: marks() });
  stopBad();
  await client.changePassword({}, { headers: marks() });
  expect(outcomes).toEqual(["no_brokers"]);
  expect(tracking.stats().publisher.offered).toBe(3);
});

it("refuses to instrument the same twice, and two with the same series", async () => {
  const { meter, series } = startMetrics();
  const [first, second] = [createTestTracking(), createTestTracking()];
  const instrumentation = instrumentSessionTracking(first, { meter });
  expect(refusalOf(() => instrumentSessionTracking(first, { meter }))).toMatchObject({
    code: "ERR_OPTION_CONFLICT",
    message: expect.stringContaining("instrumented already: call end()"),
  });
  expect(refusalOf(() => instrumentSessionTracking(first, { meter, attributes: { a: 1 } }))).toMatchObject({
    code: "ERR_OPTION_CONFLICT",
  });
  expect(refusalOf(() => instrumentSessionTracking(second, { meter }))).toMatchObject({
    code: "ERR_OPTION_CONFLICT",
    option: "attributes",
  });
  instrumentSessionTracking(second, { meter, attributes: { "service.name": "second" } });
  expect(await series()).toMatchObject({
    "session_activity.event.offered": 0,
    "session_activity.event.offered{service.name=second}": 0,
  });
  instrumentation.end();
  instrumentation.end();
  for (const { publisher } of [first, second]) publisher.publish(createEventRecord(create(SessionActivityEventSchema)));
  expect(await series()).toMatchObject({
    "session_activity.event.offered": 0,
    "session_activity.event.offered{service.name=second}": 1,
  });
  instrumentSessionTracking(first, { meter });
  expect(await series()).toMatchObject({ "session_activity.event.offered": 1 });
});

it.each([
  [{}, "meter must be given"],
  [{ meter: {} }, "meter must be a meter of OpenTelemetry's"],
  [{ meter: undefined, attributes: {} }, "meter must be given"],
  [{ meters: 1 }, "meters"],
])("refuses %o", async (options, message) => {
  const tracking: SessionTracking = createTestTracking();
  const refusal = refusalOf(() => instrumentSessionTracking(tracking, options as never));
  expect(refusal).toMatchObject({ message: expect.stringContaining(message) });
});

it("refuses attributes that are not", async () => {
  const { meter } = startMetrics();
  const attributes = { a: {} } as never;
  expect(refusalOf(() => instrumentSessionTracking(createTestTracking(), { meter, attributes }))).toMatchObject({
    code: "ERR_OPTION_INVALID",
    option: "attributes",
  });
});
