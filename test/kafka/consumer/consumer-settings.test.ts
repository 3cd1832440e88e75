import { describe, expect, it, vi } from "vitest";
import { consumerSettings } from "../../../src/kafka/consumer/consumer-settings.js";
import { sessionTrackingFromEnv } from "../../../src/kafka/index.js";
import { refusalOf } from "../../support/refusal.js";

const handle = (): void => {};
const onInvalid = (): void => {};
const env = {
  SESSION_TRACKING_KAFKA_BROKERS: "env:9092",
  SESSION_TRACKING_KAFKA_TOPIC: "from-env",
  SESSION_TRACKING_KAFKA_PROPERTIES: '{"fetch.wait.max.ms":10,"client.rack":"a"}',
  SESSION_TRACKING_KAFKA_SASL_MECHANISM: "PLAIN",
  SESSION_TRACKING_KAFKA_SASL_USERNAME: "reader",
  SESSION_TRACKING_KAFKA_SASL_PASSWORD: "hunter2",
  SESSION_TRACKING_CONSUMER_GROUP: "group-of-env",
  SESSION_TRACKING_CONSUMER_START_AT: "latest",
  SESSION_TRACKING_CONSUMER_DEAD_LETTER_TOPIC: "dead-of-env",
  SESSION_TRACKING_CONSUMER_CLOSE_TIMEOUT_MS: "1",
  SESSION_TRACKING_CONSUMER_RETRY_ATTEMPTS: "2",
  SESSION_TRACKING_CONSUMER_RETRY_BACKOFF_MS: "3",
  SESSION_TRACKING_CONSUMER_RETRY_MAX_BACKOFF_MS: "4",
};
const sasl = {
  "security.protocol": "sasl_ssl",
  "sasl.mechanism": "PLAIN",
  "sasl.username": "reader",
  "sasl.password": "hunter2",
};

describe("a consumer's options", () => {
  it("come from the environment if code does not say them", () => {
    expect(consumerSettings({ handle, env })).toMatchObject({
      brokers: "env:9092",
      topic: "from-env",
      groupId: "group-of-env",
      startAt: "latest",
      setAside: { topic: "dead-of-env" },
      closeTimeoutMs: 1,
      retry: { attempts: 2, backoffMs: 3, maxBackoffMs: 4 },
      properties: { ...sasl, "fetch.wait.max.ms": 10, "client.rack": "a" },
    });
  });

  it("win over the environment, which wins over the defaults; groups and properties are merged name by name", () => {
    const settings = consumerSettings({
      handle,
      brokers: ["code:9092"],
      groupId: undefined,
      topic: "t",
      deadLetterTopic: "dead",
      retry: { attempts: Number.POSITIVE_INFINITY },
      properties: { "client.rack": "b", "fetch.min.bytes": 1 },
      env: { ...env, SESSION_TRACKING_CONSUMER_RETRY_MAX_BACKOFF_MS: "" },
    });
    expect(settings).toMatchObject({
      brokers: "code:9092",
      groupId: "group-of-env",
      topic: "t",
      setAside: { topic: "dead" },
      retry: { attempts: Number.POSITIVE_INFINITY, backoffMs: 3, maxBackoffMs: 30_000 },
    });
    expect(settings.properties).toEqual({
      ...sasl,
      "fetch.wait.max.ms": 10,
      "client.rack": "b",
      "fetch.min.bytes": 1,
    });
  });

  it("read the process's environment by default, and none with env: false", () => {
    vi.stubEnv("SESSION_TRACKING_CONSUMER_GROUP", "of-the-process");
    vi.stubEnv("SESSION_TRACKING_KAFKA_BROKERS", "process:9092");
    expect(consumerSettings({ handle, onInvalid })).toMatchObject({
      groupId: "of-the-process",
      brokers: "process:9092",
    });
    const alone = { handle, onInvalid, brokers: "code:1", groupId: "g", env: false as const };
    expect(consumerSettings(alone)).toMatchObject({ brokers: "code:1", groupId: "g", topic: "session-activities" });
    expect(refusalOf(() => consumerSettings({ ...alone, brokers: undefined })).code).toBe("ERR_OPTION_MISSING");
    vi.unstubAllEnvs();
  });

  it("prefer onInvalid in code over a dead letter topic in the environment, and refuse both in code", () => {
    expect(consumerSettings({ handle, onInvalid, env }).setAside).toBe(onInvalid);
    const both = { handle, onInvalid, deadLetterTopic: "dead", env };
    expect(refusalOf(() => consumerSettings(both))).toMatchObject({
      code: "ERR_OPTION_CONFLICT",
      option: "deadLetterTopic",
    });
  });

  it.each([
    [{ SESSION_TRACKING_CONSUMER_START_AT: "begin" }, 'is "begin", expected "earliest" or "latest"'],
    [{ SESSION_TRACKING_CONSUMER_RETRY_ATTEMPTS: "0" }, 'is "0", expected a whole number from 1 upward, or Infinity'],
    [{ SESSION_TRACKING_CONSUMER_RETRY_BACKOFF_MS: "1s" }, 'is "1s", expected a whole number of milliseconds'],
    [{ SESSION_TRACKING_CONSUMER_DEAD_LETTER_TOPIC: "a b" }, 'is "a b", expected 1 to 249 of'],
    [{ SESSION_TRACKING_CONSUMER_GROUPID: "g" }, "is unknown, did you mean SESSION_TRACKING_CONSUMER_GROUP?"],
    [{ SESSION_TRACKING_KAFKA_PROPERTIES: '{"group.id":"g"}' }, "is a secret, expected librdkafka properties"],
    [{ SESSION_TRACKING_KAFKA_BROKERS: "SASL_SSL://u:hunter2@h:1" }, 'is "…@h:1", expected "host:port"'],
  ])("refuse what is wrong in the environment: %o", (wrong, message) => {
    const [name = ""] = Object.keys(wrong);
    const refusal = refusalOf(() => consumerSettings({ handle, onInvalid, env: { ...env, ...wrong } }));
    expect(refusal.message).toContain(`\n- ${name} ${message}`);
    expect(refusal).toMatchObject({ code: "ERR_ENVIRONMENT_INVALID", option: name });
    expect(refusal.message).not.toContain("hunter2");
  });

  it("share an environment with a service: neither finds the other's variables unknown", () => {
    const service = { SESSION_TRACKING_SERVICE: "s", SESSION_TRACKING_REQUIRED: "/a.B/C" };
    expect(sessionTrackingFromEnv({ ...env, ...service })).toMatchObject({ service: "s" });
    expect(consumerSettings({ handle, env: { ...env, ...service } }).groupId).toBe("group-of-env");
    // And a service does not care whether a consumer's are right.
    const wrong = { SESSION_TRACKING_CONSUMER_START_AT: "begin" };
    expect(sessionTrackingFromEnv({ ...service, ...wrong })).toMatchObject({ service: "s" });
  });
});
