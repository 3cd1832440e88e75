import type { KafkaClient, NativeMessage, NativeProperties } from "../../src/kafka/client/kafka-client.js";

/** Reads partitions from their beginning to the ends given. Fails where that takes a minute. */
export async function readTopic(
  client: KafkaClient,
  brokers: string,
  topic: string,
  ends: ReadonlyMap<number, bigint>,
  properties: NativeProperties = {},
): Promise<NativeMessage[]> {
  const consumer = client.createConsumer({
    "bootstrap.servers": brokers,
    "group.id": "oracle",
    "enable.auto.commit": false,
    "enable.partition.eof": true,
    // Where records are deleted meanwhile, those that are left count, and not those of tomorrow.
    "auto.offset.reset": "earliest",
    "fetch.wait.max.ms": 50,
    ...properties,
  });
  await new Promise<void>((resolve, reject) => {
    consumer.connect({}, (error) => (error ? reject(new Error(error.message)) : resolve()));
  });
  const left = new Map([...ends].filter(([, end]) => end > 0n));
  const passed = ({ partition, offset }: { readonly partition: number; readonly offset: number }): void => {
    if (BigInt(offset) >= (left.get(partition) ?? 0n)) left.delete(partition);
  };
  // No record says that the end is reached if all were deleted, or if a control record stands there.
  consumer.on("partition.eof", passed);
  consumer.setDefaultConsumeTimeout(100);
  // -2 is the beginning.
  consumer.assign([...ends.keys()].map((partition) => ({ topic, partition, offset: -2 })));
  const records: NativeMessage[] = [];
  const deadline = performance.now() + 60_000;
  while (left.size > 0) {
    if (performance.now() > deadline)
      throw new Error(`${topic} was not read to its end in 60 s: ${JSON.stringify([...left.keys()])}`);
    const batch = await new Promise<NativeMessage[]>((resolve, reject) => {
      consumer.consume(1_000, (error, messages) => (error ? reject(new Error(error.message)) : resolve(messages)));
    });
    records.push(...batch);
    for (const { partition, offset } of batch) passed({ partition, offset: offset + 1 });
  }
  await new Promise<void>((resolve) => {
    consumer.disconnect(() => resolve());
  });
  return records;
}
