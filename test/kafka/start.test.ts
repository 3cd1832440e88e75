import { setTimeout as sleep } from "node:timers/promises";
import type { HandlerContext } from "@connectrpc/connect";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { sessionTrackingFromEnv, startEmbeddedKafka, startSessionTracking } from "../../src/kafka/index.js";
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
    const tracking = startSessionTracking({ kafka: { brokers }, log });
    const server = await startAccountServer({ changePassword: () => ({}) }, { interceptors: [tracking.interceptor] });
    for (let i = 0; i < 3; i++) await accountClient(server).changePassword({}, { headers: marks() });
    await until(() => tracking.publisher.stats().offered === 3);
    expect(await tracking.close()).toEqual({ offered: 3, delivered: 0, dropped: { no_brokers: 3 }, queued: 0 });
    expect(warnings).toEqual([expect.stringContaining("no Kafka brokers")]);
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
      'kafka.brokers must be "host:port", several joined by commas or in an array, got ["host one:9092"]',
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
