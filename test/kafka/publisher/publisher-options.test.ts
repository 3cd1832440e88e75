import { describe, expect, test } from "vitest";
import { createKafkaPublisher, type KafkaPublisherOptions } from "../../../src/kafka/index.js";
import { producerProperties } from "../../../src/kafka/publisher/producer-properties.js";
import { publisherSettings } from "../../../src/kafka/publisher/publisher-options.js";
import { refusalOf } from "../../support/refusal.js";
import { publishRange, recordingLogger } from "../kafka-fixtures.js";

const brokers = "127.0.0.1:1";

describe("wrong options", () => {
  const properties =
    "properties must be librdkafka properties: an object of texts, numbers and booleans by name, got an object";
  const wrong: [object, string, string][] = [
    [{}, "brokers", 'brokers must be given, "host:port", or several joined by commas or in an array'],
    [{ brokers: "" }, "brokers", 'brokers must be "host:port", or several joined by commas or in an array, got ""'],
    [{ brokers: [] }, "brokers", "got []"],
    [{ brokers: "a:1, ,b:2" }, "brokers", 'got "a:1, ,b:2"'],
    [{ brokers: 9092 }, "brokers", "got 9092"],
    [
      { brokers, topic: "a topic" },
      "topic",
      'topic must be 1 to 249 of A-Z a-z 0-9 . _ -, and neither . nor .., got "a topic"',
    ],
    [{ brokers, topic: ".." }, "topic", 'got ".."'],
    [{ brokers, clientId: "" }, "clientId", 'clientId must be a text that is not empty, got ""'],
    [{ brokers, key: "userId" }, "key", "key must be a function, got a text of 6 characters"],
    [{ brokers, cloudEvents: "yes" }, "cloudEvents", 'cloudEvents must be true or false, got "yes"'],
    [
      { brokers, compression: "brotli" },
      "compression",
      'compression must be "none", "gzip", "snappy", "lz4" or "zstd", got "brotli"',
    ],
    [
      { brokers, maxQueuedEvents: 0 },
      "maxQueuedEvents",
      "maxQueuedEvents must be a whole number of events from 1 to 10000000, got 0",
    ],
    [{ brokers, maxQueuedEvents: "50" }, "maxQueuedEvents", 'got "50"'],
    [
      { brokers, maxQueuedBytes: 1.5 },
      "maxQueuedBytes",
      "maxQueuedBytes must be a whole number of bytes from 1 to 2147483647, got 1.5",
    ],
    [
      { brokers, deliveryTimeoutMs: Number.NaN },
      "deliveryTimeoutMs",
      "deliveryTimeoutMs must be a whole number of milliseconds from 100 to 2147483647, got NaN",
    ],
    [
      { brokers, closeTimeoutMs: -1 },
      "closeTimeoutMs",
      "closeTimeoutMs must be a number of milliseconds from 0 to 2147483647, got -1",
    ],
    [{ brokers, properties: "x" }, "properties", "by name, got a text of 1 character"],
    [
      { brokers, properties: { "sasl.password": undefined } },
      "properties",
      `${properties}: sasl.password is undefined`,
    ],
    [{ brokers, properties: new Map([["linger.ms", 5]]) }, "properties", "by name, got a Map"],
    [
      { brokers, properties: { dr_cb: false } },
      "properties",
      `${properties}: leave out dr_cb, this package depends on its own`,
    ],
    [
      { brokers, properties: { "delivery.report.only.error": true } },
      "properties",
      `${properties}: leave out delivery.report.only.error`,
    ],
  ];
  test.each(wrong)("%j", (options, option, message) => {
    const refusal = refusalOf(() => createKafkaPublisher(options as KafkaPublisherOptions));
    expect(refusal.message).toContain(message);
    expect(refusal).toMatchObject({ option, code: "brokers" in options ? "ERR_OPTION_INVALID" : "ERR_OPTION_MISSING" });
  });

  test("an unknown one", () => {
    const options = { brokers, topik: "t" } as KafkaPublisherOptions;
    expect(refusalOf(() => createKafkaPublisher(options))).toMatchObject({
      message: "topik is not an option of createKafkaPublisher: did you mean topic?",
      code: "ERR_OPTION_UNKNOWN",
      option: "topik",
      expected: "topic",
    });
  });
});

describe("librdkafka properties", () => {
  test("that it does not know, or whose value it refuses, are an error at creation", () => {
    expect(() => createKafkaPublisher({ brokers, properties: { "linger.msec": 5 } })).toThrow('"linger.msec"');
    expect(() => createKafkaPublisher({ brokers, properties: { "security.protocol": "tls" } })).toThrow(
      '"security.protocol"',
    );
  });

  test("that contradict each other are an error in the log, and every event is dropped", async () => {
    const log = recordingLogger();
    const publisher = createKafkaPublisher({ brokers, log, properties: { acks: 1 } });
    publishRange(publisher, 1, 5);
    expect(await publisher.close()).toEqual({ offered: 5, delivered: 0, dropped: { error: 5 }, queued: 0 });
    expect(log.lines.filter(({ level }) => level === "error")).toEqual([
      {
        level: "error",
        details: {
          kind: "producer_not_started",
          error: "`acks` must be set to `all` when `enable.idempotence` is true",
        },
        message: expect.stringMatching(/^The Kafka producer cannot start, all events are dropped: check/),
      },
    ]);
  });

  test("of the user come last", () => {
    const settings = publisherSettings({ brokers, properties: { "linger.ms": 50, "security.protocol": "ssl" } });
    expect(producerProperties(settings, true)).toMatchObject({
      "bootstrap.servers": brokers,
      "linger.ms": 50,
      "security.protocol": "ssl",
      "enable.idempotence": true,
      dr_cb: true,
    });
  });

  test("leave a replaced producer without idempotence, whatever the user says", () => {
    const settings = publisherSettings({ brokers, properties: { "enable.idempotence": true } });
    expect(producerProperties(settings, false)).toMatchObject({ "enable.idempotence": false });
  });
});

test("brokers may be an array, and blanks around addresses do not count", () => {
  expect(publisherSettings({ brokers: ["a:1", " b:2 "] }).brokers).toBe("a:1,b:2");
  expect(publisherSettings({ brokers: "a:1, b:2" }).brokers).toBe("a:1,b:2");
});

test("the bounds of numbers are such that librdkafka takes them", async () => {
  const least = { maxQueuedEvents: 1, maxQueuedBytes: 1, deliveryTimeoutMs: 100, closeTimeoutMs: 0 };
  const most = { maxQueuedEvents: 10_000_000, maxQueuedBytes: 2_147_483_647, deliveryTimeoutMs: 2_147_483_647 };
  for (const options of [least, most]) {
    const log = recordingLogger();
    const publisher = createKafkaPublisher({
      brokers,
      log,
      properties: { log_level: 0 },
      closeTimeoutMs: 50,
      ...options,
    });
    publishRange(publisher, 1, 1);
    await publisher.close();
    expect(log.lines.filter(({ message }) => message.includes("cannot start"))).toEqual([]);
  }
});

test("the defaults are those that are documented", () => {
  expect(publisherSettings({ brokers })).toEqual({
    brokers,
    topic: "session-activities",
    clientId: "connect-session-activity",
    key: undefined,
    cloudEvents: false,
    compression: "lz4",
    oauthToken: undefined,
    maxQueuedEvents: 50_000,
    maxQueuedBytes: 33_554_432,
    deliveryTimeoutMs: 300_000,
    closeTimeoutMs: 5_000,
    properties: {},
    schemaId: undefined,
    schemaIdIn: "header",
    log: undefined,
  });
});
