import { Consumer } from "@platformatic/kafka";

/** Reads a topic from its beginning, and answers with what ends that. */
export async function consume(
  brokers: string,
  topic: string,
  groupId: string,
  handle: (value: Buffer) => void,
): Promise<() => Promise<void>> {
  const consumer = new Consumer({ clientId: "bench", bootstrapBrokers: brokers.split(","), groupId });
  const stream = await consumer.consume({ topics: [topic], mode: "earliest", autocommit: true });
  stream.on("data", ({ value }) => handle(value));
  return async () => {
    await stream.close();
    await consumer.close();
  };
}
