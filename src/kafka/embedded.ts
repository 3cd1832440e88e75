import { createTroubleLog } from "../log.js";
import { loadKafkaClient, type NativeProducer } from "./client.js";
import { bridgeClientLog } from "./client-log.js";

/** Options of `startEmbeddedKafka`. */
export interface EmbeddedKafkaOptions {
  /** How many brokers the cluster has. By default, 1. */
  brokers?: number | undefined;
}

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
 * It is librdkafka's mock cluster. Topics come into being when first used, with 4 partitions that keep their last 5 MiB each;
 * there is no TLS, no SASL, no topic administration and no transaction isolation.
 *
 * Rejects with a `TypeError` for wrong options, and with an `Error` where the Kafka client cannot be loaded.
 */
export async function startEmbeddedKafka(options: EmbeddedKafkaOptions = {}): Promise<EmbeddedKafka> {
  const count = options.brokers ?? 1;
  if (!Number.isInteger(count) || count < 1) {
    throw new TypeError(`brokers must be a positive integer, got ${String(count)}`);
  }
  // The property is not in the client's typings. Without brokers of its own to report about, the log stays quiet.
  const host = loadKafkaClient().createProducer({ "test.mock.num.brokers": count, log_level: 3 });
  bridgeClientLog(host, createTroubleLog(undefined));
  const brokers = await addressesOf(host);
  let closed: Promise<void> | undefined;
  return {
    brokers,
    close() {
      closed ??= new Promise((resolve) => host.disconnect(0, () => resolve()));
      return closed;
    },
  };
}

function addressesOf(host: NativeProducer): Promise<string> {
  return new Promise((resolve, reject) => {
    host.connect({}, (error, metadata) => {
      if (error) reject(new Error(`The embedded Kafka did not start: ${error.message}`));
      else resolve(metadata.brokers.map((broker) => `${broker.host}:${broker.port}`).join(","));
    });
  });
}
