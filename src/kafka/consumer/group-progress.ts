import type { TroubleLog } from "../../base/log.js";
import { bridgeClientLog } from "../client/client-log.js";
import { connectWithoutBroker } from "../client/connect.js";
import {
  asNativeError,
  loadKafkaClient,
  type NativeConsumer,
  type NativeError,
  type NativeMetadata,
  type NativeOffset,
  type NativeWatermarks,
} from "../client/kafka-client.js";
import type { KafkaTrouble } from "../client/kafka-troubles.js";
import type { ConsumerSettings } from "./consumer-options.js";
import { consumerProperties } from "./consumer-properties.js";

/** How long a broker may take for one answer. */
const timeoutMs = 5_000;

/** How far a group as a whole is, whoever of it has which partitions. */
export interface GroupProgress {
  /**
   * Whether the group has handled everything that was on the topic when this was last asked. The first answer is no. Rejects
   * if no broker answers.
   */
  readonly hasCaughtUp: () => Promise<boolean>;
  close(): Promise<void>;
}

/** Watches a group from outside, by a client of its own that is not a member. Connects when it is first asked. */
export function watchGroup(settings: ConsumerSettings, log: TroubleLog<KafkaTrouble>): GroupProgress {
  const { topic } = settings;
  let connecting: Promise<NativeConsumer> | undefined;
  let endsBefore: ReadonlyMap<number, number> | undefined;

  async function hasCaughtUp(): Promise<boolean> {
    connecting ??= connect(settings, log);
    const client = await connecting;
    const before = endsBefore;
    // Asked before the ends: what comes in between is for the next time.
    const committed = await committedBy(client, topic, [...(before?.keys() ?? [])]);
    endsBefore = await endsOf(client, topic);
    return before !== undefined && [...before].every(([partition, end]) => (committed.get(partition) ?? 0) >= end);
  }

  return {
    hasCaughtUp,
    async close() {
      const client = await connecting?.catch(() => undefined);
      if (client === undefined) return;
      await new Promise<void>((resolve) => {
        client.disconnect(() => resolve());
      });
    },
  };
}

async function connect(settings: ConsumerSettings, log: TroubleLog<KafkaTrouble>): Promise<NativeConsumer> {
  // Who is not a member asks as one of the older protocol, whatever the group has.
  const { "group.protocol": _, ...properties } = settings.properties;
  const client = loadKafkaClient().createConsumer(consumerProperties({ ...settings, properties }));
  bridgeClientLog(client, log);
  const failure = await connectWithoutBroker(client);
  if (failure !== undefined) throw new Error(failure.message);
  return client;
}

async function committedBy(
  client: NativeConsumer,
  topic: string,
  partitions: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  if (partitions.length === 0) return new Map();
  const places = partitions.map((partition) => ({ topic, partition }));
  const offsets = await answer<readonly NativeOffset[]>((done) => client.committed(places, timeoutMs, done));
  return new Map(offsets.map(({ partition, offset }) => [partition, offset]));
}

/** Where the partitions end that have something in them. */
async function endsOf(client: NativeConsumer, topic: string): Promise<ReadonlyMap<number, number>> {
  const { topics = [] } = await answer<NativeMetadata>((done) =>
    client.getMetadata({ topic, timeout: timeoutMs }, done),
  );
  const ends = new Map<number, number>();
  for (const { id } of topics.find(({ name }) => name === topic)?.partitions ?? []) {
    // One after another: each takes one of the four threads that all asynchronous work of the process shares.
    const marks = await answer<NativeWatermarks>((done) => client.queryWatermarkOffsets(topic, id, timeoutMs, done));
    if (marks.highOffset > marks.lowOffset) ends.set(id, marks.highOffset);
  }
  return ends;
}

function answer<T>(ask: (done: (error: NativeError | null | undefined, result: T) => void) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    ask((error, result) => {
      if (error) reject(new Error(asNativeError(error).message));
      else resolve(result);
    });
  });
}
