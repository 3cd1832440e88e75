import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import {
  type SessionActivityEvent,
  SessionActivityEventSchema,
} from "../../gen/sessionactivity/v1/session_activity_pb.js";
import type { Logger } from "../../src/base/log.js";
import { loadKafkaClient, type NativeMessage } from "../../src/kafka/client/kafka-client.js";
import { createEventRecord, type EventRecord } from "../../src/publishing/event-record.js";
import type { Publisher, PublisherStats } from "../../src/publishing/publisher.js";

/** An event as the interceptor makes it; about 250 bytes. */
export function eventOf(
  number: number,
  more: MessageInitShape<typeof SessionActivityEventSchema> = {},
): SessionActivityEvent {
  return create(SessionActivityEventSchema, {
    eventId: `event-${number}`,
    encodedSessionContext: "c".repeat(100),
    service: "account-service",
    action: "ChangePassword",
    status: "OK",
    procedure: "/acme.account.v1.AccountService/ChangePassword",
    startedAt: create(TimestampSchema, { seconds: 1_760_000_000n, nanos: 500_000_000 }),
    sequence: BigInt(number),
    ...more,
  });
}

/** The record of such an event. */
export function recordOf(number: number, more?: MessageInitShape<typeof SessionActivityEventSchema>): EventRecord {
  return createEventRecord(eventOf(number, more));
}

/** Publishes events numbered from..to. */
export function publishRange(publisher: Publisher, from: number, to: number): void {
  for (let number = from; number <= to; number += 1) publisher.publish(recordOf(number));
}

/** What the publisher is for: every event offered is delivered, dropped for a reason, or queued. */
export function expectIdentity(stats: PublisherStats): void {
  const dropped = Object.values(stats.dropped).reduce((sum, count) => sum + count, 0);
  expect(stats.delivered + dropped + stats.queued, JSON.stringify(stats)).toBe(stats.offered);
  expect(stats.queued).toBeGreaterThanOrEqual(0);
}

/** Keeps what is logged. */
export function recordingLogger(): Logger & { readonly lines: { level: string; details: object; message: string }[] } {
  const lines: { level: string; details: object; message: string }[] = [];
  const keep = (level: string) => (details: object, message: string) => void lines.push({ level, details, message });
  return { lines, debug: keep("debug"), info: keep("info"), warn: keep("warn"), error: keep("error") };
}

/** Reads a topic of an embedded broker from its beginning until that many records have come. */
export async function readRecords(brokers: string, topic: string, count: number): Promise<NativeMessage[]> {
  const consumer = loadKafkaClient().createConsumer({
    "bootstrap.servers": brokers,
    "group.id": "reader",
    "enable.auto.commit": false,
    "fetch.wait.max.ms": 10,
  });
  await new Promise<void>((resolve, reject) => {
    consumer.connect({}, (error) => (error ? reject(new Error(error.message)) : resolve()));
  });
  consumer.setDefaultConsumeTimeout(50);
  // The embedded broker's topics have 4 partitions; -2 is their beginning.
  consumer.assign([0, 1, 2, 3].map((partition) => ({ topic, partition, offset: -2 })));
  const records: NativeMessage[] = [];
  const end = performance.now() + 15_000;
  // One read more than needed: it would show a record too many.
  for (let idle = 0; performance.now() < end && idle < (records.length < count ? Infinity : 3); ) {
    const batch = await new Promise<NativeMessage[]>((resolve) => {
      consumer.consume(1_000, (_error, messages) => resolve(messages ?? []));
    });
    records.push(...batch);
    idle = batch.length === 0 ? idle + 1 : 0;
  }
  await new Promise<void>((resolve) => {
    consumer.disconnect(() => resolve());
  });
  return records;
}

/** The event ids on a topic, in no particular order. */
export async function readEventIds(brokers: string, topic: string, count: number): Promise<string[]> {
  const records = await readRecords(brokers, topic, count);
  return records.map(({ value }) => fromBinary(SessionActivityEventSchema, value!).eventId);
}

/** event-1 ... event-n */
export function eventIds(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => `event-${from + index}`);
}
