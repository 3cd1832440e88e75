import { createRequire } from "node:module";
import type { KafkaCompression } from "connect-session-activity/kafka";
import { producerProperties } from "../../src/kafka/publisher/producer-properties.js";
import { publisherSettings } from "../../src/kafka/publisher/publisher-options.js";

// From a module, the client shows its KafkaJS-style API only.
const require = createRequire(import.meta.url);

/** What the benchmark uses of the client's own producer. */
interface NativeProducer {
  connect(options: object, done: (error: Error | null) => void): void;
  setPollInBackground(enabled: boolean): void;
  on(event: "delivery-report", listener: (error: Error | null) => void): void;
  on(event: "event.error", listener: () => void): void;
  produce(
    topic: string,
    partition: null,
    value: Buffer,
    key: null,
    timestamp: null,
    opaque: null,
    headers: readonly Record<string, string>[] | null,
  ): void;
  flush(timeoutMs: number, done: (error: Error | null) => void): void;
}

/** The client's producer with nothing around it: what any publisher on it must cost at least. */
export interface BareProducer {
  produce(value: Buffer, headers?: readonly Record<string, string>[]): void;
  /** How many records have not been delivered yet. */
  open(): number;
  /** Resolves when all that was produced has been delivered. */
  drain(): Promise<void>;
}

/** What our publisher sets, so that batches and guarantees are the same. */
export function publisherProperties(
  brokers: string,
  compression: KafkaCompression,
): Readonly<Record<string, string | number | boolean>> {
  const settings = publisherSettings({ brokers, compression, maxQueuedEvents: 1_000_000 });
  return producerProperties(settings, true) as Record<string, string | number | boolean>;
}

export async function connectBareProducer(
  brokers: string,
  topic: string,
  compression: KafkaCompression,
): Promise<BareProducer> {
  const { Producer } = require("@confluentinc/kafka-javascript") as {
    Producer: new (properties: object) => NativeProducer;
  };
  const producer = new Producer(publisherProperties(brokers, compression));
  let open = 0;
  producer.on("event.error", () => {});
  producer.on("delivery-report", (error) => {
    if (error !== null) throw error;
    open -= 1;
  });
  await new Promise<void>((resolve, reject) => {
    producer.connect({}, (error) => (error === null ? resolve() : reject(error)));
  });
  producer.setPollInBackground(true);
  return {
    produce(value, headers) {
      open += 1;
      producer.produce(topic, null, value, null, null, null, headers ?? null);
    },
    open: () => open,
    async drain() {
      await new Promise<void>((resolve, reject) => {
        producer.flush(60_000, (error) => (error === null ? resolve() : reject(error)));
      });
      // The reports are on their way.
      while (open > 0) await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
