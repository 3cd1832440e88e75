import { expect, test } from "vitest";
import { createTroubleLog } from "../../../src/base/log.js";
import { type KafkaClient, loadKafkaClient } from "../../../src/kafka/client/kafka-client.js";
import { consumerSettings } from "../../../src/kafka/consumer/consumer-settings.js";
import { createDeadLetters } from "../../../src/kafka/consumer/dead-letters.js";

const record = {
  topic: "t",
  partition: 0,
  offset: 0,
  timestampMs: undefined,
  key: undefined,
  headers: [],
  value: undefined,
};

/** Dead letters without a broker, and the number of producers that they have made. */
function deadLetters(properties: Record<string, string> = {}) {
  const client = loadKafkaClient();
  let producers = 0;
  const counting: KafkaClient = {
    ...client,
    createProducer(given) {
      producers += 1;
      return client.createProducer(given);
    },
  };
  const options = { brokers: "127.0.0.1:1", groupId: "g", handle() {}, deadLetterTopic: "dead", properties };
  const letters = createDeadLetters(counting, consumerSettings(options), "dead", createTroubleLog(false));
  return { letters, producers: () => producers };
}

test("without a record there is no producer", async () => {
  const { letters, producers } = deadLetters();
  await letters.close();
  expect(producers()).toBe(0);
});

test("a start that fails rejects, and the next record starts anew", async () => {
  const { letters, producers } = deadLetters({ "security.protocol": "ssl", "ssl.ca.location": "/nowhere" });
  await expect(letters.add(record, "empty_value")).rejects.toThrow("ssl.ca.location");
  await expect(letters.add(record, "empty_value")).rejects.toThrow("ssl.ca.location");
  expect(producers()).toBe(2);
  await letters.close();
});

test("after the end a record is refused, and no producer keeps the process alive", async () => {
  const { letters, producers } = deadLetters();
  await letters.close();
  await expect(letters.add(record, "handler_failed")).rejects.toThrow("closed");
  expect(producers()).toBe(0);
});

test("an end while no broker answers is not held up by what is under way", async () => {
  const { letters } = deadLetters();
  void letters.add(record, "handler_failed");
  const start = performance.now();
  await letters.close();
  expect(performance.now() - start).toBeLessThan(2_000);
});
