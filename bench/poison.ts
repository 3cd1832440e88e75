// What poison costs a consumer that handles batches: `npm run bench:poison`.
//
// Ten thousand events on an embedded Kafka, of which some are poison, spread by a seeded chance. The handler takes 5 ms a call,
// as a transaction does, and refuses every batch that holds poison. Its calls are counted until all events are handled or set
// aside.
import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { createEventRecord, SessionActivityEventSchema } from "connect-session-activity";
import {
  createKafkaPublisher,
  createSessionActivityConsumer,
  startEmbeddedKafka,
  withFailure,
} from "connect-session-activity/kafka";

const events = 10_000;
const callMs = 5;

/** A linear congruential generator: the same numbers in each run. */
function chance(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

async function measure(share: number): Promise<void> {
  const kafka = await startEmbeddedKafka();
  const publisher = createKafkaPublisher({ brokers: kafka.brokers, maxQueuedEvents: events, log: false });
  const random = chance();
  let poison = 0;
  for (let number = 1; number <= events; number += 1) {
    const isPoison = random() < share;
    poison += Number(isPoison);
    const action = isPoison ? "poison" : "change_password";
    const event = create(SessionActivityEventSchema, { eventId: `event-${number}`, action });
    publisher.publish(createEventRecord(event));
  }
  await publisher.close();
  let calls = 0;
  let startedMs = 0;
  const consumer = createSessionActivityConsumer({
    brokers: kafka.brokers,
    groupId: "bench",
    properties: { "group.protocol": "consumer" },
    async handleBatch(items) {
      startedMs ||= performance.now();
      calls += 1;
      await delay(callMs);
      if (items.some(({ event }) => event.action === "poison")) throw withFailure(new Error("poison"), "poison");
    },
    onInvalid() {},
    log: false,
  });
  while (consumer.stats().handled + (consumer.stats().invalid.poison ?? 0) < events) await delay(1);
  const seconds = (performance.now() - startedMs) / 1_000;
  console.log(
    `${(100 * share).toFixed(0)} % poison (${poison} of ${events}): ${calls} calls, ${seconds.toFixed(1)} s, set aside ${consumer.stats().invalid.poison ?? 0}`,
  );
  await consumer.close();
  await kafka.close();
}

for (const share of [0, 0.01, 0.05, 0.2]) await measure(share);
