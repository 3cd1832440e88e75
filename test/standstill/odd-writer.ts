import { loadKafkaClient } from "../../src/kafka/client/kafka-client.js";
import { pause } from "../support/until.js";

/** Writes records to a topic, by turns to its partitions. */
export interface OddWriter {
  /** Resolves when the client has taken it. Rejects if a record before it was not delivered. */
  write(number: number, value: Uint8Array | null): Promise<void>;
  /** Which of the last records stands there. */
  numberAt(partition: number, offset: number): number | undefined;
  close(): Promise<void>;
}

/** So many can be asked for by their places. */
const remembered = 10_000;

/** Connects to a topic that is new, so that its offsets begin at 0. */
export async function openOddWriter(brokers: string, topic: string, partitions: number): Promise<OddWriter> {
  const producer = loadKafkaClient().createProducer({
    "bootstrap.servers": brokers,
    "message.max.bytes": 2_000_000,
    "linger.ms": 5,
    "enable.idempotence": true,
    dr_cb: true,
  });
  await new Promise<void>((resolve, reject) => {
    producer.connect({}, (error) => (error ? reject(new Error(error.message)) : resolve()));
  });
  producer.setPollInBackground(true);
  let failure: string | undefined;
  producer.on("delivery-report", (error) => {
    failure ??= error?.message;
  });
  const written = Array.from({ length: partitions }, () => 0);
  const places = new Map<string, number>();
  let turn = 0;
  return {
    async write(number, value) {
      if (failure !== undefined) throw new Error(`a record was not written: ${failure}`);
      const partition = turn % partitions;
      turn += 1;
      producer.produce(topic, partition, value);
      places.set(`${partition}/${written[partition]}`, number);
      written[partition]! += 1;
      if (places.size > remembered) for (const oldest of places.keys()) if (places.delete(oldest)) break;
      // The client's queue is emptied by its own thread, but reports come on this one.
      if (turn % 100 === 0) await pause(0);
    },
    numberAt: (partition, offset) => places.get(`${partition}/${offset}`),
    close: () => new Promise((resolve) => producer.disconnect(5_000, () => resolve())),
  };
}
