import { equals, fromBinary } from "@bufbuild/protobuf";
import { Kafka, type KafkaMessage, logLevel } from "kafkajs";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { SessionActivityEventSchema } from "../../../gen/sessionactivity/v1/session_activity_pb.js";
import type { NativeMessage } from "../../../src/kafka/client/kafka-client.js";
import {
  createKafkaPublisher,
  type EmbeddedKafka,
  type KafkaPublisherOptions,
  startEmbeddedKafka,
} from "../../../src/kafka/index.js";
import { createEventRecord, type EventRecord } from "../../../src/publishing/event-record.js";
import {
  eventIds,
  eventOf,
  expectIdentity,
  publishRange,
  readRecords,
  recordingLogger,
  recordOf,
} from "../kafka-fixtures.js";

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

let kafka: EmbeddedKafka;
beforeAll(async () => {
  kafka = await startEmbeddedKafka();
});
afterAll(() => kafka.close());

/** Publishes events to a topic of their own, closes, and reads what is there. */
async function roundTrip(
  topic: string,
  published: readonly EventRecord[],
  options: Partial<KafkaPublisherOptions> = {},
) {
  const publisher = createKafkaPublisher({ brokers: kafka.brokers, topic, ...options });
  for (const record of published) publisher.publish(record);
  const stats = await publisher.close();
  return { stats, records: await readRecords(kafka.brokers, topic, stats.delivered) };
}

/** Headers as a list of [name, text]. */
function headersOf(record: NativeMessage): [string, string][] {
  return (record.headers ?? []).flatMap((header) =>
    Object.entries(header).map(([name, value]): [string, string] => [name, Buffer.from(value).toString()]),
  );
}

describe("records", () => {
  test("a key may hold a NUL: it arrives whole, and its bytes are given back", async () => {
    const topic = "nul-keys";
    const key = `u\0${"a".repeat(98)}`;
    const publisher = createKafkaPublisher({ brokers: kafka.brokers, topic, key: () => key, maxQueuedBytes: 2_000 });
    for (let number = 1; number <= 60; number++) {
      publisher.publish(recordOf(number));
      await vi.waitFor(() => expect(publisher.stats().queued).toBe(0), { timeout: 10_000, interval: 1 });
    }
    expect(await publisher.close()).toEqual({ offered: 60, delivered: 60, dropped: {}, queued: 0 });
    const records = await readRecords(kafka.brokers, topic, 60);
    expect(new Set(records.map((record) => String(record.key)))).toEqual(new Set([key]));
  });

  test("an independent reader finds the events and their headers, in the default topic", async () => {
    const events = [eventOf(1), eventOf(2, { traceparent }), eventOf(3, { attributes: { target: "user/42" } })];
    const publisher = createKafkaPublisher({
      brokers: [kafka.brokers],
      // kafkajs reads no lz4.
      properties: { "compression.type": "gzip" },
    });
    for (const event of events) publisher.publish(createEventRecord(event));
    expect(await publisher.close()).toEqual({ offered: 3, delivered: 3, dropped: {}, queued: 0 });

    const records = await readWithKafkaJs("session-activities", 3);
    const read = records.map(({ value }) => fromBinary(SessionActivityEventSchema, value!));
    for (const event of events) {
      expect(read.some((other) => equals(SessionActivityEventSchema, event, other))).toBe(true);
    }
    const headers = Object.fromEntries(
      records.map(({ headers: found }, index) => [
        read[index]!.eventId,
        Object.fromEntries(Object.entries(found ?? {}).map(([name, value]) => [name, String(value)])),
      ]),
    );
    expect(headers).toEqual({
      "event-1": { "content-type": "application/protobuf" },
      "event-2": { "content-type": "application/protobuf", traceparent },
      "event-3": { "content-type": "application/protobuf" },
    });
    expect(records.map(({ key }) => key)).toEqual([null, null, null]);
  }, 30_000);

  test("with cloudEvents, binary mode headers come along", async () => {
    const { records } = await roundTrip("cloud", [recordOf(1, { service: "konto dienst/ä", traceparent })], {
      cloudEvents: true,
    });
    expect(headersOf(records[0]!)).toEqual([
      ["content-type", "application/protobuf"],
      ["traceparent", traceparent],
      ["ce_specversion", "1.0"],
      ["ce_type", "sessionactivity.v1.SessionActivityEvent"],
      ["ce_source", "/konto%20dienst%2F%C3%A4"],
      ["ce_id", "event-1"],
      ["ce_time", "2025-10-09T08:53:20.500Z"],
    ]);
  });

  test("events of one key share a partition, and order is kept in it", async () => {
    const published = Array.from({ length: 60 }, (_, index) => recordOf(index, { service: `service-${index % 3}` }));
    const { records } = await roundTrip("keyed", published, { key: (event) => event.service });
    for (const key of ["service-0", "service-1", "service-2"]) {
      const own = records.filter((record) => String(record.key) === key);
      expect(own).toHaveLength(20);
      expect(new Set(own.map(({ partition }) => partition)).size).toBe(1);
      const sequence = own.map(({ value }) => fromBinary(SessionActivityEventSchema, value!).sequence);
      expect(sequence).toEqual(sequence.toSorted((a, b) => Number(a - b)));
    }
  });

  test("a key function that throws, or gives no string, costs the key and not the event", async () => {
    const log = recordingLogger();
    const keys = [
      () => {
        throw new Error("context-of-somebody");
      },
      () => 7,
      () => undefined,
      () => "good",
    ];
    const published = keys.map((_, index) => recordOf(index));
    const { records, stats } = await roundTrip("bad-keys", published, {
      log,
      // @ts-expect-error: one of them gives a number
      key: (event) => keys[Number(event.sequence)]!(),
    });
    expect(stats.delivered).toBe(4);
    expect(records.map(({ key }) => (key ? String(key) : "")).toSorted((a, b) => a.localeCompare(b))).toEqual([
      "",
      "",
      "",
      "good",
    ]);
    expect(log.lines.filter(({ level }) => level === "warn")).toHaveLength(1);
    expect(JSON.stringify(log.lines)).not.toContain("context-of-somebody");
  });

  test("values that are illegal in headers neither throw nor send an event twice", async () => {
    const illegal = { number: 42, object: {}, null: null, undefined: undefined, array: ["x"] };
    const published = Object.values(illegal).map((value, index) =>
      Object.assign(recordOf(index), { traceparent: value, service: value }),
    );
    // Text that no HTTP header could hold is fine: Kafka's headers are bytes.
    for (const value of ["\u0000\r\n", "\uD800", "ä".repeat(10_000)]) {
      published.push(recordOf(published.length, { traceparent: value, service: value, eventId: `id ${value}` }));
    }
    for (const cloudEvents of [false, true]) {
      const { records, stats } = await roundTrip(`illegal-${cloudEvents}`, published, { cloudEvents, log: false });
      expectIdentity(stats);
      expect(stats).toMatchObject({ offered: published.length, dropped: { invalid_event: 5 } });
      expect(stats.delivered).toBe(3);
      expect(records).toHaveLength(stats.delivered);
      expect(new Set(records.map(({ value }) => String(value))).size).toBe(stats.delivered);
    }
  });

  test("a moment that no Date can hold costs the ce_time header and not the event", async () => {
    const { records } = await roundTrip("no-time", [recordOf(1, { startedAt: { seconds: 2n ** 60n } })], {
      cloudEvents: true,
    });
    expect(headersOf(records[0]!).map(([name]) => name)).not.toContain("ce_time");
  });

  test("what is not a record is dropped as invalid_event", async () => {
    const log = recordingLogger();
    const broken = [
      null,
      undefined,
      7,
      eventOf(1, { service: "context-of-somebody" }),
      Object.assign(recordOf(1), { bytes: null }),
    ];
    const { stats } = await roundTrip(
      "invalid",
      // @ts-expect-error: not records
      broken,
      { log },
    );
    expect(stats).toEqual({ offered: 5, delivered: 0, dropped: { invalid_event: 5 }, queued: 0 });
    expect(JSON.stringify(log.lines)).not.toContain("context-of-somebody");
  });
});

describe("settled", () => {
  test("is called once for each event that asks, with what became of it", async () => {
    const publisher = createKafkaPublisher({ brokers: kafka.brokers, topic: "settled", log: false });
    const outcomes = new Map<string, string[]>();
    const settled = (name: string) => (outcome: string) => {
      outcomes.set(name, [...(outcomes.get(name) ?? []), outcome]);
    };
    publishRange(publisher, 1, 20);
    for (let number = 21; number <= 140; number += 1) publisher.publish(recordOf(number), settled(`event-${number}`));
    publisher.publish(recordOf(141, { encodedSessionContext: "x".repeat(2_000_000) }), settled("large"));
    // @ts-expect-error: no event
    publisher.publish(null, settled("null"));
    await publisher.close();
    publisher.publish(recordOf(142), settled("late"));

    const delivered = eventIds(21, 140).map((id): [string, string[]] => [id, ["delivered"]]);
    expect(outcomes).toEqual(
      new Map([...delivered, ["large", ["too_large"]], ["null", ["invalid_event"]], ["late", ["closed"]]]),
    );
    expectIdentity(publisher.stats());
  });

  test("may throw", async () => {
    const log = recordingLogger();
    const publisher = createKafkaPublisher({ brokers: kafka.brokers, topic: "settled-throws", log });
    for (let number = 1; number <= 3; number += 1) {
      publisher.publish(recordOf(number), () => {
        throw new Error("broken callback");
      });
    }
    expect((await publisher.close()).delivered).toBe(3);
    expect(log.lines.filter(({ level }) => level === "warn").map(({ message }) => message)).toEqual([
      "A callback given to publish() threw",
    ]);
  });
});

describe("close", () => {
  test("delivers what is queued, and a second time gives the same result", async () => {
    const publisher = createKafkaPublisher({ brokers: kafka.brokers, topic: "closed-twice", log: false });
    publishRange(publisher, 1, 5_000);
    const first = publisher.close();
    expect(publisher.close()).toBe(first);
    publisher.publish(recordOf(5_001));
    expect(await first).toEqual({ offered: 5_001, delivered: 5_000, dropped: { closed: 1 }, queued: 0 });
    expect(await publisher.close()).toBe(await first);
    publisher.publish(recordOf(5_002));
    expect(publisher.stats()).toEqual({ offered: 5_002, delivered: 5_000, dropped: { closed: 2 }, queued: 0 });
  });

  test("with no time for it counts what is queued as close_timeout", async () => {
    const publisher = createKafkaPublisher({
      brokers: kafka.brokers,
      topic: "no-time-to-close",
      closeTimeoutMs: 0,
      log: false,
    });
    const outcomes: string[] = [];
    publisher.publish(recordOf(1), (outcome) => void outcomes.push(outcome));
    publisher.publish(recordOf(2));
    expect(await publisher.close()).toEqual({ offered: 2, delivered: 0, dropped: { close_timeout: 2 }, queued: 0 });
    expect(outcomes).toEqual(["close_timeout"]);
  });
});

async function readWithKafkaJs(topic: string, count: number) {
  const consumer = new Kafka({ brokers: kafka.brokers.split(","), logLevel: logLevel.NOTHING }).consumer({
    groupId: "kafkajs",
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const records: KafkaMessage[] = [];
  await new Promise<void>((resolve, reject) => {
    consumer
      .run({
        eachMessage: async ({ message }) => {
          if (records.push(message) === count) resolve();
        },
      })
      .catch(reject);
  });
  await consumer.disconnect();
  return records;
}
