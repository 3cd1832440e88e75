// Setting a record aside does not stop its partition for good, whatever the topic of the dead letters is like.
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTroubleLog } from "../../src/base/log.js";
import type { NativeMessage } from "../../src/kafka/client/kafka-client.js";
import { type RetriedLetter, retryDeadLetters } from "../../src/kafka/consumer/dead-letter-retry.js";
import { bytesOf, startConsumer, write } from "../kafka/consumer/consumer-fixtures.js";
import { recordingLogger } from "../kafka/kafka-fixtures.js";
import { until } from "../support/until.js";
import { startTarget, type Target } from "./kafka-target.js";

let target: Target;
beforeAll(async () => {
  target = await startTarget();
});
afterAll(() => target?.close());

const large = 1_030_000;

/** A topic with a record of 1.03 MB that holds no event, and an event behind it. */
async function poisoned(): Promise<string> {
  const topic = await target.topic(1);
  const producer = { "message.max.bytes": 2_000_000 };
  await write(target.brokers, topic, [{ value: Buffer.alloc(large, 0xff) }, { value: bytesOf(1) }], producer);
  return topic;
}

function headersOf(letter: NativeMessage | undefined): Record<string, string> {
  const headers = (letter?.headers ?? []).flatMap((header) => Object.entries(header));
  return Object.fromEntries(headers.map(([name, value]) => [name, String(value)]));
}

test.each([
  ["as large ones goes there whole", {}, large, undefined],
  ["smaller ones only goes there without its value", { "max.message.bytes": 100_000 }, undefined, "value"],
])("a record of 1.03 MB, with a dead-letter topic that takes %s", async (_name, config, length, omitted) => {
  const topic = await poisoned();
  const deadLetterTopic = await target.topic(1, config);
  const consumer = startConsumer({
    brokers: target.brokers,
    topic,
    deadLetterTopic,
    properties: { "group.protocol": "classic" },
    handle() {},
    log: false,
  });
  await until(() => consumer.stats().handled === 1, consumer.stats);
  expect(consumer.stats()).toMatchObject({ invalid: { undecodable: 1 }, lost: 0, retried: 0 });
  const [letter] = await target.read(deadLetterTopic);
  expect(letter?.value?.length).toBe(length);
  expect(headersOf(letter)).toMatchObject({ "dead-letter-reason": "undecodable", "dead-letter-origin-topic": topic });
  expect(headersOf(letter)["dead-letter-omitted"]).toBe(omitted);
});

test("what was set aside goes back as it was, once, and the consumer gets it again", async () => {
  const topic = await poisoned();
  const deadLetterTopic = await target.topic(2);
  const options = { brokers: target.brokers, topic, deadLetterTopic, handle() {}, log: false } as const;
  const consumer = startConsumer({ ...options, properties: { "group.protocol": "classic" } });
  await until(() => consumer.stats().handled === 1, consumer.stats);
  await consumer.close();
  const settings = { ...options, groupId: `retries of ${topic}`, limit: 10, oauthToken: undefined, properties: {} };
  const retried: RetriedLetter[] = [];
  for (const _ of [1, 2]) {
    await retryDeadLetters(settings, (one) => void retried.push(one), createTroubleLog(undefined));
  }
  expect(retried.map(({ leftOut }) => leftOut)).toEqual([undefined]);
  const [first, , again] = await target.read(topic);
  expect(again?.value).toEqual(first?.value);
  expect(headersOf(again)).toEqual({});
});

test("a dead-letter topic that does not exist is waited for, in sight, and nothing is lost", async () => {
  const topic = await poisoned();
  const deadLetterTopic = `${topic}-dead`;
  const log = recordingLogger();
  const consumer = startConsumer({
    brokers: target.brokers,
    topic,
    deadLetterTopic,
    properties: { "group.protocol": "classic" },
    retry: { maxBackoffMs: 1_000 },
    handle() {},
    log,
  });
  // librdkafka hopes for the topic for half a minute.
  await until(() => consumer.stats().problems.includes("set_aside_blocked"), consumer.stats, 60_000);
  const blocked = log.lines.find(({ details }) => "kind" in details && details.kind === "set_aside_blocked");
  expect(blocked).toMatchObject({ level: "error", details: { offset: 0, failure: "permanent" } });
  await target.admin.createTopic(deadLetterTopic, 1);
  await until(() => consumer.stats().handled === 1, consumer.stats, 60_000);
  expect(consumer.stats()).toMatchObject({ invalid: { undecodable: 1 }, lost: 0, problems: [] });
  await target.admin.deleteTopic(deadLetterTopic);
}, 180_000);
