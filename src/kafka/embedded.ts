import { createTroubleLog } from "../base/log.js";
import { type OptionsOf, readOptions, wholeNumber } from "../base/options.js";
import { bridgeClientLog } from "./client/client-log.js";
import { defaultTopic, topicOption } from "./client/client-options.js";
import { loadKafkaClient, type NativeProducer } from "./client/kafka-client.js";

/** Options of `startEmbeddedKafka`. */
export interface EmbeddedKafkaOptions {
  /** How many brokers the cluster has. By default, 1. */
  brokers?: number | undefined;
  /**
   * The topics that exist from the start. By default, `session-activities`. Others come into being when first used, but a
   * consumer that subscribed before may never be given their partitions here.
   */
  topics?: readonly string[] | undefined;
}

const aTopic = topicOption({ meaning: "A topic", byDefault: "" });

/** The options of the embedded Kafka. */
export const embeddedTable: OptionsOf<{ readonly brokers: number; readonly topics: readonly string[] }> = {
  brokers: wholeNumber({ meaning: "How many brokers the cluster has", unit: "brokers", byDefault: 1 }),
  topics: {
    meaning: "The topics that exist from the start",
    expects: "an array of names of topics",
    byDefault: [defaultTopic],
    read: (value) =>
      Array.isArray(value) && value.every((topic) => aTopic.read(topic) !== undefined) ? value : undefined,
  },
};

/** A running embedded Kafka. */
export interface EmbeddedKafka {
  /** Its addresses, `host:port` joined by commas: what `brokers` options take. */
  readonly brokers: string;
  /** Stops it; everything in it is gone. Idempotent. */
  close(): Promise<void>;
}

/**
 * Starts a Kafka inside this process, for tests and demonstrations: it listens on real loopback ports, so any client in any
 * process on this machine can use it. Up within a tenth of a second, gone without a trace.
 *
 * It is librdkafka's mock cluster. Topics have 4 partitions that keep their last 5 MiB each; there is no TLS, no SASL, no topic
 * administration and no transaction isolation. If the only member of a group leaves, the next one waits for about the session
 * timeout of 45 s. With the consumer's properties `{ "group.protocol": "consumer" }`, it waits for a second at most.
 *
 * Rejects with a `TypeError` for wrong options, and with a `KafkaClientError` if the Kafka client cannot be used.
 */
export async function startEmbeddedKafka(options: EmbeddedKafkaOptions = {}): Promise<EmbeddedKafka> {
  const { brokers: count, topics } = readOptions("startEmbeddedKafka", embeddedTable, options);
  // The property is not in the client's typings. Without brokers of its own to report about, the log stays quiet.
  const host = loadKafkaClient().createProducer({ "test.mock.num.brokers": count, log_level: 3 });
  bridgeClientLog(host, createTroubleLog(undefined));
  let closed: Promise<void> | undefined;
  function close(): Promise<void> {
    closed ??= new Promise((resolve) => host.disconnect(0, () => resolve()));
    return closed;
  }
  const brokers = await addressesOf(host);
  try {
    for (const topic of topics) await createTopic(host, topic);
  } catch (error) {
    // Nobody else could: it would listen until the process ends, and keep it from ending.
    await close();
    throw error;
  }
  return { brokers, close };
}

function addressesOf(host: NativeProducer): Promise<string> {
  return new Promise((resolve, reject) => {
    host.connect({}, (error, metadata) => {
      if (error) reject(new Error(`The embedded Kafka did not start: ${error.message}`));
      else resolve(metadata.brokers.map((broker) => `${broker.host}:${broker.port}`).join(","));
    });
  });
}

/** Asking for a topic is what creates it. */
function createTopic(host: NativeProducer, topic: string): Promise<void> {
  return new Promise((resolve, reject) => {
    host.getMetadata({ topic, timeout: 10_000 }, (error) => {
      if (error) reject(new Error(`The embedded Kafka did not create the topic ${topic}: ${error.message}`));
      else resolve();
    });
  });
}
