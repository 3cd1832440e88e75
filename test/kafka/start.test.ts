import { mkdtempSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { HandlerContext } from "@connectrpc/connect";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import {
  type SessionTrackingOptions,
  sessionTrackingFromEnv,
  startEmbeddedKafka,
  startSessionTracking,
} from "../../src/kafka/index.js";
import { trackingTable } from "../../src/kafka/tracking-options.js";
import { accountClient, marks, startAccountServer } from "../support/account-server.js";
import { refusalOf } from "../support/refusal.js";
import { until } from "../support/until.js";

async function embedded(): Promise<string> {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  return kafka.brokers;
}

describe("startSessionTracking", () => {
  it("publishes the marked calls of a server to Kafka", async () => {
    const tracking = startSessionTracking({
      service: "account-service",
      kafka: { brokers: await embedded() },
      log: false,
    });
    const server = await startAccountServer(
      { changePassword: () => ({}) },
      { interceptors: [tracking.interceptor], contextValues: tracking.interceptor.contextValues },
    );
    for (let i = 0; i < 5; i++) await accountClient(server).changePassword({}, { headers: marks() });
    expect(await tracking.close()).toEqual({ offered: 5, delivered: 5, dropped: {}, queued: 0 });
  });

  it("gives the interceptor's options on to it: signatures, required methods, the quota, what is recorded", async () => {
    const { changePassword } = AccountService.method;
    const tracking = startSessionTracking({
      service: "account-service",
      log: false,
      verify: { unmarked: "drop", verify: () => Promise.resolve("key_unknown") },
      required: [changePassword],
      maxUnverifiedPerMinute: 1,
      recordContext: () => {
        throw new Error("not recorded");
      },
    });
    const seen: (string | null)[] = [];
    const note = (_: unknown, { requestHeader }: HandlerContext): object => {
      seen.push(requestHeader.get("x-session-context"));
      return {};
    };
    const server = await startAccountServer({ changePassword: note }, { interceptors: [tracking.interceptor] });
    const client = accountClient(server);
    await client.changePassword({}, { headers: { ...marks(), "x-session-signature": "a.b.c" } });
    await client.changePassword({}, { headers: { "x-session-context": "relayed" } });
    await client.changePassword({});
    await tracking.close();
    expect(seen).toEqual([null, null, null]);
    expect(tracking.interceptor.stats()).toMatchObject({
      tracked: 2,
      unverified: { key_unknown: 1, missing: 2 },
      skipped: { too_many_unverified: 1 },
      unrecordedContexts: 1,
    });
    expect(tracking.publisher.stats().offered).toBe(2);
  });

  it("waits in close for the calls that are open, once for all who call it", async () => {
    const tracking = startSessionTracking({
      service: "account-service",
      kafka: { brokers: await embedded() },
      log: false,
    });
    const server = await startAccountServer(
      { changePassword: () => sleep(200).then(() => ({})) },
      { interceptors: [tracking.interceptor] },
    );
    const call = accountClient(server).changePassword({}, { headers: marks() });
    await until(() => tracking.interceptor.stats().open === 1);
    const closing = tracking.close();
    expect(tracking.close()).toBe(closing);
    expect(await closing).toMatchObject({ offered: 1, delivered: 1 });
    await call;
  });

  it.each([undefined, "", []])("without brokers (%j) lets calls run, warns once, and counts", async (brokers) => {
    const warnings: string[] = [];
    const warn = (_: object, message: string): void => void warnings.push(message);
    const log = { debug: warn, info: warn, warn, error: warn };
    const tracking = startSessionTracking({ service: "account-service", kafka: { brokers }, log });
    const server = await startAccountServer({ changePassword: () => ({}) }, { interceptors: [tracking.interceptor] });
    for (let i = 0; i < 3; i++) await accountClient(server).changePassword({}, { headers: marks() });
    await until(() => tracking.publisher.stats().offered === 3);
    expect(await tracking.close()).toEqual({ offered: 3, delivered: 0, dropped: { no_brokers: 3 }, queued: 0 });
    expect(warnings).toEqual([expect.stringContaining("set SESSION_TRACKING_KAFKA_BROKERS")]);
  });

  it("reads the environment by default", async () => {
    vi.stubEnv("SESSION_TRACKING_KAFKA_BROKERS", "");
    vi.stubEnv("SESSION_TRACKING_SERVICE", "from-env");
    onTestFinished(() => void vi.unstubAllEnvs());
    const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const tracking = startSessionTracking();
    expect(write.mock.calls.join()).toContain('"service":"from-env"');
    write.mockRestore();
    await tracking.close();
    vi.stubEnv("SESSION_TRACKING_KAFKA_BROKER", "localhost:9092");
    expect(() => startSessionTracking()).toThrow("SESSION_TRACKING_KAFKA_BROKER is unknown");
  });

  it("takes what the environment gives, and options on top", async () => {
    const env = { SESSION_TRACKING_SERVICE: "", SESSION_TRACKING_KAFKA_BROKERS: await embedded() };
    const tracking = startSessionTracking({
      ...sessionTrackingFromEnv(env),
      shutdownSignal: new AbortController().signal,
      log: false,
    });
    const server = await startAccountServer({ changePassword: () => ({}) }, { interceptors: [tracking.interceptor] });
    await accountClient(server).changePassword({}, { headers: marks() });
    expect(await tracking.close()).toMatchObject({ delivered: 1 });
  });

  it("shows no credentials in the error of a wrong option", () => {
    const wrong = [
      { kafka: { brokers: "kafka://user:hunter2@host:9092, " } },
      { kafka: { brokers: "host:9092", properties: { "sasl.password": ["hunter2"] } } },
    ];
    for (const options of wrong) {
      const error = (() => {
        try {
          return startSessionTracking({ log: false, ...options } as never);
        } catch (thrown) {
          return thrown;
        }
      })();
      expect(error).toBeInstanceOf(TypeError);
      expect(String(error)).not.toContain("hunter2");
    }
  });

  it.each([
    [
      { drainTimeoutMs: -1 },
      "drainTimeoutMs",
      "drainTimeoutMs must be a number of milliseconds from 0 to 2147483647, got -1",
    ],
    [
      { settleTimeoutMs: "1s" },
      "settleTimeoutMs",
      'settleTimeoutMs must be a number of milliseconds from 0 to 2147483647, got "1s"',
    ],
    [
      { kafka: { brokers: ["host one:9092"] } },
      "kafka.brokers",
      'kafka.brokers must be "host:port", or several joined by commas or in an array, got ["host one:9092"]',
    ],
    [
      { kafka: { brokers: "localhost:9092", maxQueuedEvents: 0 } },
      "kafka.maxQueuedEvents",
      "kafka.maxQueuedEvents must be",
    ],
  ])("refuses %j", (options, option, message) => {
    const refusal = refusalOf(() => startSessionTracking({ log: false, ...options } as never));
    expect(refusal.message).toContain(message);
    expect(refusal).toMatchObject({ option, code: "ERR_OPTION_INVALID" });
  });
});

describe("a service with brokers in its environment", () => {
  const { changePassword } = AccountService.method;
  /** One value for each option, that is not its default. */
  const given: { readonly [Name in keyof typeof trackingTable]: SessionTrackingOptions } = {
    service: { service: "users" },
    required: { required: [changePassword] },
    verify: { verify: { unmarked: "drop", verify: () => Promise.resolve(undefined) } },
    maxUnverifiedPerMinute: { maxUnverifiedPerMinute: 10 },
    recordContext: { recordContext: () => "pseudonym" },
    maxContextBytes: { maxContextBytes: 100 },
    settleTimeoutMs: { settleTimeoutMs: 100 },
    drainTimeoutMs: { drainTimeoutMs: 100 },
    onDrop: { onDrop: () => {} },
    shutdownSignal: { shutdownSignal: new AbortController().signal },
    shutdownError: { shutdownError: new Error("bye") },
    kafka: { kafka: {} },
    spool: { spool: { directory: mkdtempSync(join(tmpdir(), "spool-")) } },
    log: { log: false },
    // It is what the brokers come from.
    env: { env: undefined },
  };
  const kafka: { readonly [Name in keyof NonNullable<SessionTrackingOptions["kafka"]>]-?: unknown } = {
    // It comes from the environment.
    brokers: undefined,
    topic: "other",
    clientId: "users",
    key: () => "key",
    cloudEvents: true,
    schemaId: 42,
    schemaIdIn: "prefix",
    compression: "gzip",
    maxQueuedEvents: 10,
    maxQueuedBytes: 10_000,
    deliveryTimeoutMs: 10_000,
    closeTimeoutMs: 10_000,
    // The embedded broker takes no tokens.
    oauthToken: undefined,
    properties: { "linger.ms": 1 },
    runsTopic: false,
  };

  it("has an example for each option here", () => {
    expect(Object.keys(given).sort()).toEqual(Object.keys(trackingTable).sort());
    expect(Object.keys(kafka).sort()).toEqual(Object.keys(trackingTable.kafka.fields!).sort());
  });

  it.each([
    ["none", {}],
    ...Object.entries(given),
    ...Object.entries(kafka).map(([name, value]): [string, SessionTrackingOptions] => [
      `kafka.${name}`,
      { kafka: { [name]: value } },
    ]),
  ])("publishes with the one option in code: %s", async (_, options) => {
    vi.stubEnv("SESSION_TRACKING_KAFKA_BROKERS", await embedded());
    onTestFinished(() => void vi.unstubAllEnvs());
    const tracking = startSessionTracking({ log: false, ...options });
    const server = await startAccountServer({ changePassword: () => ({}) }, { interceptors: [tracking.interceptor] });
    await accountClient(server).changePassword({}, { headers: marks() });
    const { publisher } = await tracking.shutDown();
    expect(publisher).toEqual({ offered: 1, delivered: 1, dropped: {}, queued: 0 });
  });

  it("publishes nothing with env: false, which also refuses no variable", async () => {
    vi.stubEnv("SESSION_TRACKING_KAFKA_BROKERS", await embedded());
    vi.stubEnv("SESSION_TRACKING_MISSPELT", "yes");
    onTestFinished(() => void vi.unstubAllEnvs());
    const tracking = startSessionTracking({ env: false, log: false });
    expect(tracking.ready().problems).toContain("no_brokers");
    await tracking.shutDown();
  });

  it("merges Kafka's properties name by name", () => {
    const env = {
      SESSION_TRACKING_KAFKA_BROKERS: "localhost:9092",
      SESSION_TRACKING_KAFKA_PROPERTIES: '{"linger.ms":50,"no.such.property":1}',
    };
    const start = (properties: Record<string, number>) => (): unknown =>
      startSessionTracking({ env, log: false, kafka: { properties } });
    // Only librdkafka knows its properties. That it refuses one tells that it has come so far.
    expect(start({ "linger.ms": 5 })).toThrow("no.such.property");
    expect(start({ "no.other.property": 1 })).toThrow(/no\.(such|other)\.property/);
  });
});

it.each([1, 3])(
  "a process that ends at once loses nothing with closeTimeoutMs: 500, on %i brokers",
  async (brokers) => {
    const kafka = await startEmbeddedKafka({ brokers });
    onTestFinished(() => kafka.close());
    for (let round = 0; round < 20; round += 1) {
      const tracking = startSessionTracking({
        env: false,
        service: "account-service",
        kafka: { brokers: kafka.brokers, closeTimeoutMs: 500 },
        log: false,
      });
      const server = await startAccountServer({ changePassword: () => ({}) }, { interceptors: [tracking.interceptor] });
      await accountClient(server).changePassword({}, { headers: marks() });
      const { publisher } = await tracking.shutDown();
      expect([round, publisher]).toEqual([round, { offered: 1, delivered: 1, dropped: {}, queued: 0 }]);
    }
  },
);

it("flush waits for what is queued, and holds one thread of Node's pool however often it is called", async () => {
  // A port that nobody listens on.
  const tracking = startSessionTracking({
    env: false,
    service: "account-service",
    kafka: { brokers: "127.0.0.1:1", closeTimeoutMs: 0 },
    log: false,
  });
  const server = await startAccountServer({ changePassword: () => ({}) }, { interceptors: [tracking.interceptor] });
  await accountClient(server).changePassword({}, { headers: marks() });
  await until(() => tracking.stats().publisher.queued === 1);
  const flushes = Array.from({ length: 20 }, () => tracking.flush({ timeoutMs: 3_000 }));
  // Reading a file takes a thread of the pool.
  const startedAt = performance.now();
  await readFile(new URL(import.meta.url));
  expect(performance.now() - startedAt).toBeLessThan(1_500);
  await Promise.all(flushes);
  expect((await tracking.shutDown()).publisher).toEqual({
    offered: 1,
    delivered: 0,
    dropped: { close_timeout: 1 },
    queued: 0,
  });
});
