import { setTimeout as delay } from "node:timers/promises";
import { createEventRecord } from "connect-session-activity";
import { createKafkaPublisher, type KafkaCompression } from "connect-session-activity/kafka";
import { typicalEvent } from "../kit/typical-event.js";

/** Publishes so many events, and resolves when all have arrived. */
export async function fillTopic(
  brokers: string,
  topic: string,
  count: number,
  compression: KafkaCompression,
): Promise<void> {
  const publisher = createKafkaPublisher({ brokers, topic, compression, log: false });
  for (let number = 1; number <= count; number++) {
    publisher.publish(createEventRecord(typicalEvent(number)));
    while (publisher.stats().queued >= 10_000) await delay(1);
  }
  const { delivered } = await publisher.close();
  if (delivered !== count) throw new Error(`${delivered} of ${count} events arrived`);
}
