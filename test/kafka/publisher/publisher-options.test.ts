import { describe, expect, test } from "vitest";
import { createKafkaPublisher } from "../../../src/kafka/index.js";
import { producerProperties } from "../../../src/kafka/publisher/producer-properties.js";
import { publisherSettings } from "../../../src/kafka/publisher/publisher-options.js";
import { publishRange, recordingLogger } from "../kafka-fixtures.js";

const brokers = "127.0.0.1:1";

describe("wrong options", () => {
  const wrong: [object, string][] = [
    [{}, 'brokers must be addresses such as "host:9092,host2:9092" or an array of them, got undefined'],
    [{ brokers: "" }, 'got ""'],
    [{ brokers: [] }, "got []"],
    [{ brokers: "a:1, ,b:2" }, 'got "a:1, ,b:2"'],
    [{ brokers: 9092 }, "brokers must be"],
    [{ brokers, topic: "a topic" }, 'topic must be 1 to 249 of A-Z a-z 0-9 . _ - and neither . nor .., got "a topic"'],
    [{ brokers, topic: ".." }, "topic must be"],
    [{ brokers, clientId: "" }, 'clientId must be a string that is not empty, got ""'],
    [{ brokers, key: "userId" }, 'key must be a function, got "userId"'],
    [{ brokers, cloudEvents: "yes" }, 'cloudEvents must be a boolean, got "yes"'],
    [{ brokers, maxQueuedEvents: 0 }, "maxQueuedEvents must be a whole number from 1 to 2147482647, got 0"],
    [{ brokers, maxQueuedEvents: "50" }, 'maxQueuedEvents must be a whole number from 1 to 2147482647, got "50"'],
    [{ brokers, maxQueuedBytes: 1.5 }, "maxQueuedBytes must be"],
    [
      { brokers, deliveryTimeoutMs: Number.NaN },
      "deliveryTimeoutMs must be a whole number from 10 to 2147483647, got NaN",
    ],
    [{ brokers, closeTimeoutMs: -1 }, "closeTimeoutMs must be a whole number from 0 to 2147483647, got -1"],
    [{ brokers, properties: "x" }, 'properties must be an object, got "x"'],
    [
      { brokers, properties: { "sasl.password": undefined } },
      'properties["sasl.password"] must be a string, a number or a boolean, got undefined',
    ],
    [{ brokers, properties: { dr_cb: false } }, "properties must not hold dr_cb"],
    [
      { brokers, properties: { "delivery.report.only.error": true } },
      "properties must not hold delivery.report.only.error",
    ],
  ];
  test.each(wrong)("%j", (options, message) => {
    // @ts-expect-error: that is the point
    const create = () => createKafkaPublisher(options);
    expect(create).toThrow(TypeError);
    expect(create).toThrow(message);
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
  const least = { maxQueuedEvents: 1, maxQueuedBytes: 1, deliveryTimeoutMs: 10, closeTimeoutMs: 0 };
  const most = { maxQueuedEvents: 2_147_482_647, maxQueuedBytes: 2_147_483_647, deliveryTimeoutMs: 2_147_483_647 };
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
    maxQueuedEvents: 50_000,
    maxQueuedBytes: 33_554_432,
    deliveryTimeoutMs: 300_000,
    closeTimeoutMs: 5_000,
    properties: {},
    log: undefined,
  });
});
