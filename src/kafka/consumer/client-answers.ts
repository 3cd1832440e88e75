import {
  asNativeError,
  type NativeConsumer,
  type NativeError,
  type NativeMetadata,
  type NativeOffset,
  type NativeWatermarks,
} from "../client/kafka-client.js";
import { holdingThread } from "../client/pool-threads.js";

/** How long a broker may take for one answer. */
const answerTimeoutMs = 5_000;

/** What the client's group has committed, by partition. Partitions of which nothing is committed are not in it. */
export async function committedOffsets(
  client: NativeConsumer,
  topic: string,
  partitions: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  if (partitions.length === 0) return new Map();
  const places = partitions.map((partition) => ({ topic, partition }));
  const offsets = await askBroker<readonly NativeOffset[]>((done) => client.committed(places, answerTimeoutMs, done));
  return new Map(offsets.filter(({ offset }) => offset >= 0).map(({ partition, offset }) => [partition, offset]));
}

/** The partitions of a topic. None if the cluster does not know the topic, as is possible for a moment after its creation. */
export async function partitionsOf(
  client: NativeConsumer,
  topic: string,
  signal?: AbortSignal,
): Promise<readonly number[]> {
  const { topics = [] } = await metadataOf(client, topic, signal);
  return topics.find(({ name }) => name === topic)?.partitions.map(({ id }) => id) ?? [];
}

/** The first record of each partition that is as late as a moment. Partitions that have none are not in it. */
export async function offsetsAt(
  client: NativeConsumer,
  topic: string,
  partitions: readonly number[],
  timeMs: number,
): Promise<ReadonlyMap<number, number>> {
  const times = partitions.map((partition) => ({ topic, partition, offset: timeMs }));
  const offsets = await askBroker<readonly NativeOffset[]>((done) =>
    client.offsetsForTimes(times, answerTimeoutMs, done),
  );
  return new Map(offsets.filter(({ offset }) => offset >= 0).map(({ partition, offset }) => [partition, offset]));
}

/** How long one question may hold a thread. A process cannot end meanwhile. */
const patienceMs = 500;

/** Brokers, and a topic. Asks in short questions until there is an answer, so that it can be told to give up. */
export async function metadataOf(client: NativeConsumer, topic: string, signal?: AbortSignal): Promise<NativeMetadata> {
  const endMs = performance.now() + answerTimeoutMs;
  for (;;) {
    const askedMs = performance.now();
    try {
      return await askBroker<NativeMetadata>((done) => client.getMetadata({ topic, timeout: patienceMs }, done));
    } catch (error) {
      const nowMs = performance.now();
      // What is refused at once will be refused again.
      const isRefused = nowMs - askedMs < patienceMs / 2;
      if (isRefused || nowMs > endMs || signal?.aborted) throw error;
    }
  }
}

/** Where these partitions begin and end. */
export async function watermarksOf(
  client: NativeConsumer,
  topic: string,
  partitions: readonly number[],
): Promise<ReadonlyMap<number, NativeWatermarks>> {
  const marks = new Map<number, NativeWatermarks>();
  for (const partition of partitions) {
    const own = await askBroker<NativeWatermarks>((done) =>
      client.queryWatermarkOffsets(topic, partition, answerTimeoutMs, done),
    );
    marks.set(partition, own);
  }
  return marks;
}

/** Resolves with what the client calls back with. Rejects with its error. */
export function answerOf<T>(
  ask: (done: (error: NativeError | null | undefined, result: T) => void) => unknown,
): Promise<T> {
  return new Promise((resolve, reject) => {
    ask((error, result) => {
      if (error) reject(new Error(asNativeError(error).message));
      else resolve(result);
    });
  });
}

/** The same for what waits for a broker. */
function askBroker<T>(ask: Parameters<typeof answerOf<T>>[0]): Promise<T> {
  return holdingThread(() => answerOf(ask));
}
