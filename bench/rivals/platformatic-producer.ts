import { Producer } from "@platformatic/kafka";

/** Takes encoded events. */
export interface RecordSink {
  offer(value: Buffer): void;
  queued(): number;
}

/** `single` sends each event by itself, and `stream` lets the client make batches, as its own documentation does. */
export function connectProducer(brokers: string, topic: string, way: "single" | "stream"): RecordSink {
  const producer = new Producer({ clientId: "bench", bootstrapBrokers: brokers.split(","), acks: -1 });
  const headers = new Map([[Buffer.from("content-type"), Buffer.from("application/protobuf")]]);
  let open = 0;
  const send = async (value: Buffer): Promise<void> => {
    await producer.send({ messages: [{ topic, value, headers }] });
    open -= 1;
  };
  // As long as this package's publisher waits for a batch to fill.
  const stream = producer.asStream({ batchSize: 1_000, batchTime: 5, reportMode: "batch", highWaterMark: 1_000_000 });
  stream.on("delivery-report", ({ count }: { count: number }) => {
    open -= count;
  });
  return {
    offer(value) {
      open += 1;
      if (way === "single") void send(value);
      else stream.write({ topic, value, headers });
    },
    queued: () => open,
  };
}
