import { setTimeout as delay } from "node:timers/promises";
import { type ITopicConfig, Kafka, type KafkaConfig, type Admin as KafkaJsAdmin, logLevel } from "kafkajs";
import { until } from "../support/until.js";

/** What tests ask of a cluster beside reading and writing. It speaks through kafkajs: a client that we did not write. */
export interface Admin {
  createTopic(topic: string, partitions: number, config?: Readonly<Record<string, string | number>>): Promise<void>;
  deleteTopic(topic: string): Promise<void>;
  /** The node that leads partition 0, or the given one. */
  leader(topic: string, partition?: number): Promise<number>;
  /** Where the partitions end, by partition. */
  ends(topic: string): Promise<Map<number, bigint>>;
  /** What a group has committed, by partition. */
  committed(groupId: string, topic: string): Promise<Map<number, bigint>>;
  /** Resolves when the group has no members, which is also when the commits that they sent before their end are in. */
  untilEmpty(groupId: string): Promise<void>;
  untilBrokers(count: number): Promise<void>;
  /** Resolves when idempotent producers can start: a broker that is new refuses some first. */
  untilProducers(): Promise<void>;
  /** The client itself, for what is asked for once. */
  readonly client: KafkaJsAdmin;
  close(): Promise<void>;
}

/** Nothing connects before the first question. */
export function adminOf(brokers: string, more: Partial<KafkaConfig> = {}): Admin {
  const kafka = new Kafka({ clientId: "admin", logLevel: logLevel.NOTHING, brokers: brokers.split(","), ...more });
  const client = kafka.admin({ retry: { retries: 8, initialRetryTime: 200, maxRetryTime: 1_000 } });
  let connected: Promise<void> | undefined;
  const connect = async (): Promise<void> => {
    connected ??= client.connect();
    await connected.catch((error: unknown) => {
      connected = undefined;
      throw error;
    });
  };
  return {
    client,
    async createTopic(topic, partitions, config = {}) {
      await connect();
      const configEntries = Object.entries(config).map(([name, value]) => ({ name, value: String(value) }));
      const wanted: ITopicConfig = { topic, numPartitions: partitions, replicationFactor: -1, configEntries };
      await client.createTopics({ topics: [wanted], waitForLeaders: false });
      // The node that is asked may not have heard of it yet, and kafkajs does not wait for that.
      const isLed = async (): Promise<boolean> => {
        const { topics } = await client.fetchTopicMetadata({ topics: [topic] });
        const found = topics[0]?.partitions ?? [];
        return found.length === partitions && found.every(({ leader }) => leader >= 0);
      };
      await until(
        () => isLed().catch(() => false),
        () => `leaders of ${topic}`,
        60_000,
      );
    },
    async deleteTopic(topic) {
      await connect();
      await client.deleteTopics({ topics: [topic] });
    },
    async leader(topic, partition = 0) {
      await connect();
      const { topics } = await client.fetchTopicMetadata({ topics: [topic] });
      return topics[0]?.partitions.find(({ partitionId }) => partitionId === partition)?.leader ?? -1;
    },
    async ends(topic) {
      await connect();
      const offsets = await client.fetchTopicOffsets(topic);
      return new Map(offsets.map(({ partition, high }) => [partition, BigInt(high)]));
    },
    async committed(groupId, topic) {
      await connect();
      const [found] = await client.fetchOffsets({ groupId, topics: [topic] });
      // -1 stands for partitions of which nothing is committed.
      const ends = (found?.partitions ?? []).filter(({ offset }) => offset !== "-1");
      return new Map(ends.map(({ partition, offset }) => [partition, BigInt(offset)]));
    },
    async untilEmpty(groupId) {
      await connect();
      let state: string | undefined;
      const isEmpty = async (): Promise<boolean> => {
        const { groups } = await client.describeGroups([groupId]);
        state = groups[0]?.state;
        return state === "Empty";
      };
      await until(isEmpty, () => `${groupId} is ${state}`, 30_000);
    },
    async untilBrokers(count) {
      const deadline = performance.now() + 60_000;
      let last: unknown;
      while (performance.now() < deadline) {
        try {
          await connect();
          const { brokers: found } = await client.describeCluster();
          if (found.length === count) return;
          last = `${found.length} brokers`;
        } catch (error) {
          last = error;
        }
        // kafkajs keeps what it was told first, for five minutes, though there were no brokers yet.
        connected = undefined;
        await client.disconnect();
        await delay(200);
      }
      throw new Error(`the cluster did not get to ${count} brokers: ${String(last)}`);
    },
    async untilProducers() {
      const producer = kafka.producer({ idempotent: true, retry: { retries: 60, maxRetryTime: 500 } });
      await producer.connect();
      await producer.disconnect();
    },
    async close() {
      await client.disconnect();
    },
  };
}
