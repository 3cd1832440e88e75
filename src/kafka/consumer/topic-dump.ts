import type { TroubleLog } from "../../base/log.js";
import type { NativeConsumer, NativeMessage, NativeOffset, NativePlace } from "../client/kafka-client.js";
import type { KafkaTrouble } from "../client/kafka-troubles.js";
import { type BystanderSettings, createBystander } from "./bystander.js";
import { answerOf, partitionsOf, watermarksOf } from "./client-answers.js";

/** What is read of a topic. */
export interface TopicDump extends BystanderSettings {
  readonly topic: string;
  /** Records of this time and later, as Kafka has it. Undefined for all. */
  readonly sinceMs: number | undefined;
}

const batchSize = 1_000;
/** How long one question for records may take, how long none may come, and how long a broker may look up a time. */
const consumeTimeoutMs = 200;
const patienceMs = 30_000;
const lookUpTimeoutMs = 5_000;

/** Reads what a topic has now, in batches. No group learns of it. Rejects if there is no such topic, or if no broker answers. */
export async function* dumpTopic(
  dump: TopicDump,
  log: TroubleLog<KafkaTrouble>,
): AsyncGenerator<readonly NativeMessage[], void, void> {
  const properties = { ...dump.properties, "enable.partition.eof": true };
  const { client, close } = await createBystander({ ...dump, properties }, log);
  try {
    const partitions = await partitionsOf(client, dump.topic);
    if (partitions.length === 0) throw new Error(`there is no topic ${dump.topic}`);
    const marks = await watermarksOf(client, dump.topic, partitions);
    const starts = await startsOf(client, dump, partitions);
    const places = [...marks].map(([partition, { lowOffset, highOffset }]) => ({
      topic: dump.topic,
      partition,
      offset: Math.max(starts.get(partition) ?? lowOffset, lowOffset),
      end: highOffset,
    }));
    yield* recordsFrom(
      client,
      places.filter(({ offset, end }) => offset < end),
    );
  } finally {
    await close();
  }
}

/** Where the time begins. A broker that does not know says nothing, or -1: then the whole partition is read. */
async function startsOf(
  client: NativeConsumer,
  { topic, sinceMs }: TopicDump,
  partitions: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  if (sinceMs === undefined) return new Map();
  const places = partitions.map((partition) => ({ topic, partition, offset: sinceMs }));
  const found = await answerOf<readonly NativeOffset[]>((done) =>
    client.offsetsForTimes(places, lookUpTimeoutMs, done),
  );
  return new Map(found.filter(({ offset }) => offset >= 0).map(({ partition, offset }) => [partition, offset]));
}

async function* recordsFrom(
  client: NativeConsumer,
  places: readonly (NativePlace & { readonly end: number })[],
): AsyncGenerator<readonly NativeMessage[], void, void> {
  const ends = new Map(places.map(({ partition, end }) => [partition, end]));
  client.on("partition.eof", ({ partition }) => ends.delete(partition));
  client.setDefaultConsumeTimeout(consumeTimeoutMs);
  client.assign(places.map(({ topic, partition, offset }) => ({ topic, partition, offset })));
  let lastMs = performance.now();
  while (ends.size > 0) {
    const messages = await answerOf<readonly NativeMessage[]>((done) => client.consume(batchSize, done));
    if (messages.length > 0) {
      lastMs = performance.now();
      yield messages;
    } else if (performance.now() - lastMs > patienceMs) {
      throw new Error("no broker gives out the records");
    }
    for (const { partition, offset } of messages) {
      // What came meanwhile need not be read.
      if (offset + 1 >= (ends.get(partition) ?? Number.POSITIVE_INFINITY)) ends.delete(partition);
    }
  }
}
