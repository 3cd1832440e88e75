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
    "enable.partition.eof": false,
    "fetch.wait.max.ms": 50,
    ...properties,
  });
  await new Promise<void>((resolve, reject) => {
    consumer.connect({}, (error) => (error ? reject(new Error(error.message)) : resolve()));
  });
  consumer.setDefaultConsumeTimeout(100);
  // -2 is the beginning.
  consumer.assign([...ends.keys()].map((partition) => ({ topic, partition, offset: -2 })));
  const records: NativeMessage[] = [];
  const left = new Map([...ends].filter(([, end]) => end > 0n));
  const deadline = performance.now() + 60_000;
  while (left.size > 0) {
    if (performance.now() > deadline)
      throw new Error(`${topic} was not read to its end in 60 s: ${JSON.stringify([...left.keys()])}`);
    const batch = await new Promise<NativeMessage[]>((resolve, reject) => {
      consumer.consume(1_000, (error, messages) => (error ? reject(new Error(error.message)) : resolve(messages)));
    });
    records.push(...batch);
    // Where a control record stands at the end, only the position shows that it was passed.
    for (const { partition, offset } of consumer.position(
      [...left.keys()].map((open) => ({ topic, partition: open })),
    )) {
      if (BigInt(offset ?? 0) >= (left.get(partition) ?? 0n)) left.delete(partition);
    }
  }
  await new Promise<void>((resolve) => {
    consumer.disconnect(() => resolve());
  });
  return records;
}
