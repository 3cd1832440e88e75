// What was set aside is looked at, and tried again.
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { createTroubleLog } from "../../../src/base/log.js";
import { readDeadLetters } from "../../../src/kafka/consumer/dead-letter-reader.js";
import {
  type RetriedLetter,
  type RetrySettings,
  retryDeadLetters,
} from "../../../src/kafka/consumer/dead-letter-retry.js";
import { startEmbeddedKafka } from "../../../src/kafka/embedded.js";
import { withFailure } from "../../../src/kafka/index.js";
import { until } from "../../support/until.js";
import { readRecords } from "../kafka-fixtures.js";
import { failProduce, shutProxies, startProxy } from "../proxy.js";
import { bytesOf, startConsumer, write } from "./consumer-fixtures.js";

const topic = "activities";
const deadLetterTopic = "activities-dead";
const log = createTroubleLog(false);
let brokers: string;
beforeEach(async () => {
  const kafka = await startEmbeddedKafka({ topics: [topic, deadLetterTopic] });
  ({ brokers } = kafka);
  onTestFinished(async () => {
    await kafka.close();
    await shutProxies();
  });
});

const settingsOf = (more: Partial<RetrySettings> = {}): RetrySettings => ({
  brokers,
  topic,
  deadLetterTopic,
  groupId: "retries",
  limit: 1_000,
  oauthToken: undefined,
  properties: { "fetch.wait.max.ms": 10 },
  ...more,
});

async function list(options = { all: false }, settings = settingsOf()) {
  const found: { from: string; reason: string | undefined; valueBytes: number }[] = [];
  for await (const { letters } of readDeadLetters(settings, options, log)) {
    for (const { origin, reason, valueBytes } of letters) {
      found.push({ from: `${origin?.topic}/${origin?.partition}@${origin?.offset}`, reason, valueBytes });
    }
  }
  return found.toSorted((one, other) => one.from.localeCompare(other.from));
}

async function retry(settings = settingsOf()): Promise<RetriedLetter[]> {
  const told: RetriedLetter[] = [];
  await retryDeadLetters(settings, (one) => void told.push(one), log);
  return told;
}

/** Sets records aside through a consumer, as it happens. */
async function setAside(records: Parameters<typeof write>[2]): Promise<void> {
  await write(brokers, topic, records);
  const consumer = startConsumer({
    brokers,
    topic,
    deadLetterTopic,
    handle() {
      throw withFailure(new Error("not yet"), "poison");
    },
    log: false,
  });
  await until(() => Object.values(consumer.stats().invalid).reduce((a, b) => a + b, 0) === records.length);
  await consumer.close();
}

test("a record goes back as it was, once, and is listed until then", async () => {
  const headers = [{ trace: Buffer.from([1, 0xff]) }, { trace: "b" }];
  await setAside([
    { partition: 1, value: bytesOf(1), key: "k", headers },
    { partition: 2, value: Buffer.from("garbage") },
  ]);
  const listed = [
    { from: `${topic}/1@0`, reason: "poison", valueBytes: bytesOf(1).length },
    { from: `${topic}/2@0`, reason: "undecodable", valueBytes: 7 },
  ];
  expect(await list()).toEqual(listed);
  expect((await retry()).map(({ leftOut }) => leftOut)).toEqual([undefined, undefined]);
  expect(await list()).toEqual([]);
  expect(await list({ all: true })).toEqual(listed);
  expect(await retry()).toEqual([]);
  const records = await readRecords(brokers, topic, 4);
  expect(records).toHaveLength(4);
  const again = records.filter(({ key }) => String(key) === "k");
  expect(again).toHaveLength(2);
  for (const record of again) {
    expect(Buffer.compare(record.value!, bytesOf(1))).toBe(0);
    expect(record.headers).toEqual([{ trace: Buffer.from([1, 0xff]) }, { trace: Buffer.from("b") }]);
  }
});

test("a letter of unknown origin, of another topic, or without its value is left out, and holds nobody up", async () => {
  const origin = (name: string) => [
    { "dead-letter-origin-topic": name },
    { "dead-letter-origin-partition": "0" },
    { "dead-letter-origin-offset": "7" },
  ];
  await write(brokers, deadLetterTopic, [
    { partition: 0, value: Buffer.from("anybody") },
    { partition: 0, value: Buffer.from("sly"), headers: origin("__consumer_offsets") },
    { partition: 0, value: null, headers: [...origin(topic), { "dead-letter-omitted": "value" }] },
    {
      partition: 0,
      value: Buffer.from("\u001b[2J"),
      headers: [...origin(topic), { "dead-letter-reason": "\u001b[2J" }],
    },
  ]);
  const told = await retry();
  expect(told.map(({ leftOut, letter }) => [leftOut, letter.reason])).toEqual([
    ["no_origin", undefined],
    ["other_topic", undefined],
    ["partial", undefined],
    [undefined, undefined],
  ]);
  expect(await retry()).toEqual([]);
});

test("no more are taken than asked for, and the next time goes on there", async () => {
  await setAside(Array.from({ length: 7 }, () => ({ partition: 0, value: Buffer.from("garbage") })));
  expect(await retry(settingsOf({ limit: 5 }))).toHaveLength(5);
  expect(await retry(settingsOf({ limit: 5 }))).toHaveLength(2);
});

test("what Kafka refuses for good is left out; what may pass ends it, and waits for the next time", async () => {
  await setAside([{ partition: 0, value: Buffer.from("garbage") }]);
  const door = await startProxy();
  await door.open(brokers);
  // TOPIC_AUTHORIZATION_FAILED, and then MSG_SIZE_TOO_LARGE.
  door.fault = failProduce(topic, 29);
  const settings = settingsOf({ brokers: door.address });
  await expect(retry(settings)).rejects.toMatchObject({ failure: "permanent", code: "ERR_TOPIC_AUTHORIZATION_FAILED" });
  door.fault = failProduce(topic, 10);
  expect((await retry(settings)).map(({ leftOut }) => leftOut)).toEqual(["refused"]);
});

test("a topic that does not exist is said", async () => {
  await expect(list({ all: true }, settingsOf({ deadLetterTopic: "nowhere" }))).rejects.toThrow("no topic nowhere");
});
