// Reads events of which some are poison, in batches: `node poison-process.js BROKERS`.
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { createEventRecord, SessionActivityEventSchema } from "connect-session-activity";
import { createKafkaPublisher, createSessionActivityConsumer, withFailure } from "connect-session-activity/kafka";
import { seededRandom } from "../../test/support/random.js";
import { answerParent } from "../kit/peer-process.js";

/** How many events there are, and how many of them are poison. */
export interface PoisonQuestion {
  readonly count: number;
  readonly share: number;
}

/** From the first call of the handler until all events are handled or set aside. */
export interface PoisonAnswer {
  readonly calls: number;
  readonly seconds: number;
}

/** How long the handler takes, as a transaction does. */
const callMs = 5;
const brokers = process.argv[2] ?? "";

async function publish(topic: string, { count, share }: PoisonQuestion): Promise<void> {
  const publisher = createKafkaPublisher({ brokers, topic, maxQueuedEvents: count, log: false });
  const random = seededRandom(1);
  for (let number = 1; number <= count; number += 1) {
    const action = random() < share ? "poison" : "change_password";
    publisher.publish(createEventRecord(create(SessionActivityEventSchema, { eventId: `event-${number}`, action })));
  }
  await publisher.close();
}

async function read(topic: string, count: number): Promise<PoisonAnswer> {
  let calls = 0;
  let start = 0;
  const consumer = createSessionActivityConsumer({
    brokers,
    topic,
    groupId: topic,
    env: false,
    properties: { "group.protocol": "consumer" },
    async handleBatch(items) {
      start ||= performance.now();
      calls += 1;
      await delay(callMs);
      if (items.some(({ event }) => event.action === "poison")) throw withFailure(new Error("poison"), "poison");
    },
    onInvalid() {},
    log: false,
  });
  const done = (): number => consumer.stats().handled + (consumer.stats().invalid.poison ?? 0);
  while (done() < count) await delay(1);
  const seconds = (performance.now() - start) / 1_000;
  await consumer.close();
  return { calls, seconds };
}

answerParent(async (question: PoisonQuestion): Promise<PoisonAnswer> => {
  const topic = `poison-${randomUUID()}`;
  await publish(topic, question);
  return read(topic, question.count);
});
