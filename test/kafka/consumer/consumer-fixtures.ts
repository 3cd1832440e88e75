import { toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, beforeEach, onTestFinished } from "vitest";
import { SessionActivityEventSchema } from "../../../gen/sessionactivity/v1/session_activity_pb.js";
import { loadKafkaClient, type NativeHeader, type NativeProperties } from "../../../src/kafka/client/kafka-client.js";
import { createSessionActivityConsumer, type SessionActivityConsumer } from "../../../src/kafka/consumer/consumer.js";
import type { SessionActivityConsumerOptions } from "../../../src/kafka/consumer/consumer-options.js";
import { type EmbeddedKafka, startEmbeddedKafka } from "../../../src/kafka/embedded.js";
import { eventOf } from "../kafka-fixtures.js";

/** Joining a group takes the embedded broker 0.1 s with the newer protocol and 3 s with the older one. */
export const quick = { "group.protocol": "consumer", "fetch.wait.max.ms": 10 } as const;

/** One embedded broker for the tests of a file, and a topic of its own for each of them: `give` is called before each. */
export function forEachTest(
  name: string,
  give: (given: { readonly brokers: string; readonly topic: string }) => void,
): void {
  let kafka: EmbeddedKafka;
  let topics = 0;
  beforeAll(async () => {
    kafka = await startEmbeddedKafka();
  });
  afterAll(() => kafka.close());
  beforeEach(() => {
    topics += 1;
    give({ brokers: kafka.brokers, topic: `${name}-${topics}` });
  });
}

/** Starts a consumer until the test is over. By default it lets no record be invalid. */
export function startConsumer(
  options: Pick<SessionActivityConsumerOptions, "brokers" | "topic"> & Partial<SessionActivityConsumerOptions>,
): SessionActivityConsumer {
  const consumer = createSessionActivityConsumer({
    groupId: `readers of ${options.topic}`,
    closeTimeoutMs: 10_000,
    ...(options.deadLetterTopic === undefined && {
      onInvalid: (_record, reason) => {
        throw new Error(`unexpected: ${reason}`);
      },
    }),
    ...options,
    properties: { ...quick, ...options.properties },
  });
  onTestFinished(() => consumer.close());
  return consumer;
}

export interface RecordToWrite {
  readonly partition?: number;
  readonly value: Uint8Array | null;
  readonly key?: string | Uint8Array;
  readonly headers?: readonly NativeHeader[];
}

/** Writes records; those of a partition keep their order. Resolves when the broker has them. */
export async function write(
  brokers: string,
  topic: string,
  records: readonly RecordToWrite[],
  properties: NativeProperties = {},
): Promise<void> {
  const own = { "bootstrap.servers": brokers, "linger.ms": 0, dr_cb: true };
  const producer = loadKafkaClient().createProducer({ ...own, ...properties });
  await new Promise<void>((resolve, reject) => {
    producer.connect({}, (error) => (error ? reject(new Error(error.message)) : resolve()));
  });
  producer.setPollInBackground(true);
  await new Promise<void>((resolve, reject) => {
    let left = records.length;
    producer.on("delivery-report", (error) => {
      left -= 1;
      if (error) reject(new Error(error.message));
      else if (left === 0) resolve();
    });
    for (const { partition = null, value, key = null, headers } of records) {
      producer.produce(topic, partition, value, key, null, undefined, headers);
    }
  });
  await new Promise<void>((resolve) => {
    producer.disconnect(0, () => resolve());
  });
}

/** The value of a record that holds event-n. */
export function bytesOf(number: number): Uint8Array {
  return toBinary(SessionActivityEventSchema, eventOf(number));
}

/** Writes event-from .. event-to, spread over those partitions. */
export function writeEvents(
  brokers: string,
  topic: string,
  [from, to]: readonly [number, number],
  partitions: readonly number[] = [0, 1, 2, 3],
): Promise<void> {
  const records = Array.from({ length: to - from + 1 }, (_, index) => ({
    partition: partitions[index % partitions.length]!,
    value: bytesOf(from + index),
  }));
  return write(brokers, topic, records);
}

/** A promise, and the function that fulfils it. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}
