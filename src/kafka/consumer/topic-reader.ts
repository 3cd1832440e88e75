import type { TroubleLog } from "../../base/log.js";
import type { NativeConsumer, NativeMessage, NativeWatermarks } from "../client/kafka-client.js";
import type { KafkaTrouble } from "../client/kafka-troubles.js";
import { type BystanderSettings, createBystander } from "./bystander.js";
import { offsetsAt, partitionsOf, watermarksOf } from "./client-answers.js";
import { readRange } from "./partition-range.js";

/** Which topic is read. */
export interface TopicSource extends BystanderSettings {
  readonly topic: string;
}

/** Offsets by partition. */
export type Offsets = ReadonlyMap<number, number>;

/** What of a topic is read: from an offset on, and up to another one, which is not read any more. */
export interface TopicRange {
  readonly from: Offsets;
  /** Without it, what comes later is read, too. */
  readonly to?: Offsets | undefined;
}

/** Reads a topic as somebody who looks on: no group learns of it, and nothing is committed. */
export interface TopicReader {
  readonly partitions: readonly number[];
  /** Where each partition begins and ends. */
  marks(): Promise<ReadonlyMap<number, NativeWatermarks>>;
  /**
   * The first record of each partition that is as late as this moment, by its time in Kafka. The brokers look it up; nothing
   * is read for it. For a partition without such a record, its end.
   */
  offsetsAt(timeMs: number): Promise<Offsets>;
  /** Reads records as they come, those of one partition in their order. Ends at the end of the range, or when the signal aborts. */
  read(range: TopicRange, signal: AbortSignal): AsyncGenerator<readonly NativeMessage[], void, void>;
  close(): Promise<void>;
}

/**
 * What keeps memory low whatever the topic is like: of each partition no more is fetched ahead than one answer of a broker, which
 * is 256 KiB before it is unpacked or one larger batch, and of all together 4 MiB. When that is read, more is asked for at once:
 * by its default, librdkafka would let a second pass.
 */
const readingProperties = {
  "queued.max.messages.kbytes": 4_096,
  "fetch.queue.backoff.ms": 10,
  "fetch.message.max.bytes": 262_144,
  "fetch.wait.max.ms": 100,
};

/** Opens a topic. Rejects if no broker answers, or if there is no such topic. */
export async function openTopic(
  source: TopicSource,
  log: TroubleLog<KafkaTrouble>,
  signal?: AbortSignal,
): Promise<TopicReader> {
  const { topic } = source;
  const properties = { ...readingProperties, ...source.properties, "enable.partition.eof": true };
  const { client, close } = await createBystander({ ...source, properties }, log);
  try {
    const partitions = await partitionsOf(client, topic, signal);
    if (partitions.length === 0) throw new Error(`there is no topic ${topic}`);
    return {
      partitions,
      marks: () => watermarksOf(client, topic, partitions),
      offsetsAt: (timeMs) => lookUp(client, topic, partitions, timeMs),
      read: ({ from, to }, ending) => readRange(client, topic, { from, to, signal: ending }),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function lookUp(
  client: NativeConsumer,
  topic: string,
  partitions: readonly number[],
  timeMs: number,
): Promise<Offsets> {
  const found = await offsetsAt(client, topic, partitions, timeMs);
  const others = partitions.filter((partition) => !found.has(partition));
  const marks = await watermarksOf(client, topic, others);
  const ends = new Map([...marks].map(([partition, { highOffset }]) => [partition, highOffset]));
  const filled = new Map([...marks].filter(([, { lowOffset, highOffset }]) => lowOffset < highOffset));
  const lasts = new Map([...filled].map(([partition, { highOffset }]) => [partition, highOffset - 1]));
  // A broker that cannot look up times says that there is none, as an embedded one does. The last record tells: then all is read.
  for await (const messages of readRange(client, topic, { from: lasts, to: ends })) {
    for (const { partition, timestamp = 0 } of messages)
      if (timestamp >= timeMs) ends.set(partition, filled.get(partition)?.lowOffset ?? 0);
  }
  return new Map([...found, ...ends]);
}
