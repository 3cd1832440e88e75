import { createRequire } from "node:module";
import { Kafka, logLevel } from "kafkajs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createKafkaPublisher } from "../../src/kafka/index.js";
import { recordingLogger, recordOf } from "../kafka/kafka-fixtures.js";
import { until } from "../support/until.js";
import { bytesOfEvent, publishEvents, startTarget, type Target } from "./kafka-target.js";

const { features }: { features: string[] } = createRequire(import.meta.url)("@confluentinc/kafka-javascript");
const codecs = ["none", ...["gzip", "snappy", "lz4", "zstd"].filter((codec) => features.includes(codec))];

let target: Target;
beforeAll(async () => {
  target = await startTarget();
});
afterAll(() => target?.close());

/** The values on a topic, and those of event-from .. event-to, both sorted. */
async function expectEvents(topic: string, from: number, to: number): Promise<void> {
  const records = await target.read(topic);
  const expected = Array.from({ length: to - from + 1 }, (_, index) => bytesOfEvent(from + index));
  expect(records.map(({ value }) => Buffer.from(value!).toString("base64")).sort()).toEqual(expected.sort());
}

describe("records", () => {
  test.each(codecs)("arrive byte for byte, on seven partitions, with compression %s", async (codec) => {
    const topic = await target.topic(7);
    const stats = await publishEvents(
      { brokers: target.brokers, topic, properties: { "compression.type": codec } },
      [1, 2_000],
    );
    expect(stats).toEqual({ offered: 2_000, delivered: 2_000, dropped: {}, queued: 0 });
    await expectEvents(topic, 1, 2_000);
  });

  test("carry their headers", async () => {
    const topic = await target.topic(1);
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const publisher = createKafkaPublisher({ brokers: target.brokers, topic, cloudEvents: true });
    publisher.publish(recordOf(1, { traceparent }));
    expect((await publisher.close()).delivered).toBe(1);
    const [record] = await target.read(topic);
    const headers = Object.assign({}, ...(record?.headers ?? [])) as Record<string, Uint8Array>;
    expect(Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))).toEqual({
      "content-type": "application/protobuf",
      traceparent,
      ce_specversion: "1.0",
      ce_type: "sessionactivity.v1.SessionActivityEvent",
      ce_source: "/account-service",
      ce_id: "event-1",
      ce_time: "2025-10-09T08:53:20.500Z",
    });
  });

  test("larger than the topic allows are dropped as too_large, and the next ones arrive", async () => {
    const topic = await target.topic(1, { "max.message.bytes": 2_000 });
    const log = recordingLogger();
    const publisher = createKafkaPublisher({
      brokers: target.brokers,
      topic,
      log,
      properties: { "compression.type": "none" },
    });
    publisher.publish(recordOf(1, { encodedSessionContext: "c".repeat(5_000) }));
    await until(() => publisher.stats().queued === 0);
    publisher.publish(recordOf(2));
    expect(await publisher.close()).toEqual({ offered: 2, delivered: 1, dropped: { too_large: 1 }, queued: 0 });
    expect(log.lines.filter(({ level }) => level === "warn")).toHaveLength(1);
    await expectEvents(topic, 2, 2);
  });
});

describe("record timestamps", () => {
  test.each(["CreateTime", "LogAppendTime"])("are of now, on topics with %s", async (type) => {
    const topic = await target.topic(1, { "message.timestamp.type": type });
    const before = Date.now();
    expect((await publishEvents({ brokers: target.brokers, topic }, [1, 1])).delivered).toBe(1);
    const [record] = await target.read(topic);
    expect(record?.timestamp).toBeGreaterThanOrEqual(before - 1_000);
    expect(record?.timestamp).toBeLessThanOrEqual(Date.now() + 1_000);
  });
});

describe("transactions", () => {
  test("of others: a reader of committed records sees ours and theirs, but not what they took back", async () => {
    const topic = await target.topic(2);
    const kafka = new Kafka({ brokers: target.brokers.split(","), logLevel: logLevel.NOTHING });
    const other = kafka.producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 });
    await other.connect();
    for (const end of ["commit", "abort"] as const) {
      const transaction = await other.transaction();
      await transaction.send({ topic, messages: [{ value: end, partition: 0 }] });
      await transaction[end]();
      expect((await publishEvents({ brokers: target.brokers, topic }, [1, 50])).delivered).toBe(50);
    }
    await other.disconnect();
    const values = (await target.read(topic, "read_committed")).map(({ value }) => String(value));
    expect(values).toHaveLength(101);
    expect(values).toContain("commit");
    expect(values).not.toContain("abort");
    expect(await target.read(topic, "read_uncommitted")).toHaveLength(102);
  });
});

describe("a topic that does not exist", () => {
  test("and may not be created: events are counted as unknown_topic, and go out once it is there", async () => {
    const log = recordingLogger();
    const topic = `${await target.topic(1)}-later`;
    const properties = {
      "allow.auto.create.topics": false,
      "topic.metadata.propagation.max.ms": 1_000,
      "topic.metadata.refresh.interval.ms": 1_000,
    };
    const publisher = createKafkaPublisher({ brokers: target.brokers, topic, log, properties });
    publisher.publish(recordOf(1));
    await until(() => (publisher.stats().dropped.unknown_topic ?? 0) > 0);
    expect(publisher.stats()).toEqual({ offered: 1, delivered: 0, dropped: { unknown_topic: 1 }, queued: 0 });
    await target.admin.createTopic(topic, 1);
    let number = 1;
    while (publisher.stats().delivered === 0) {
      number += 1;
      publisher.publish(recordOf(number));
      await until(() => publisher.stats().queued === 0);
    }
    await publisher.close();
    expect(log.lines.filter(({ message }) => message.includes("topic"))).not.toHaveLength(0);
    expect(await target.read(topic)).toHaveLength(1);
    await target.admin.deleteTopic(topic);
  });
});
