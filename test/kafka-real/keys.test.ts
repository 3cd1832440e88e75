import { afterAll, beforeAll, expect, test } from "vitest";
import { createKafkaPublisher } from "../../src/kafka/index.js";
import { recordOf } from "../kafka/kafka-fixtures.js";
import { startTarget, type Target } from "./kafka-target.js";
import { runKafkaTool } from "./kafka-tool.js";

let target: Target;
beforeAll(async () => {
  target = await startTarget();
});
afterAll(() => target?.close());

/** Of every length up to 40 bytes, since the hash takes four at a time, and of characters of one to four bytes. */
const keys: readonly string[] = [
  ...[
    "0",
    " ",
    "  ",
    "-",
    "\u00a0",
    "\u200b",
    "é",
    "é\u0301",
    "ß",
    "漢字",
    "🔑",
    "🔑🔑",
    "מפתח",
    "ключ",
    "\u007f",
    "\ufeffkey",
  ],
  ...Array.from({ length: 40 }, (_, index) => "k".repeat(index + 1)),
  ...Array.from({ length: 40 }, (_, index) => `${"é".repeat(index)}漢`),
  ...Array.from({ length: 60 }, (_, index) => `user/${index * 7_919}`),
  ...Array.from({ length: 60 }, (_, index) => `0199c8a4-5d2e-7c3b-9a41-${String(index * 104_729).padStart(12, "0")}`),
];

async function partitionsByKey(topic: string): Promise<Map<string, number>> {
  const records = await target.read(topic);
  return new Map(records.map(({ key, partition }) => [Buffer.from(key ?? "none").toString(), partition]));
}

test("keys land on the partitions where Kafka's own Java producer puts them", async () => {
  expect(new Set(keys).size).toBeGreaterThan(200);
  const [ours, theirs] = await Promise.all([target.topic(7), target.topic(7)]);
  const publisher = createKafkaPublisher({ brokers: target.brokers, topic: ours, key: ({ action }) => action });
  for (const [index, key] of keys.entries()) publisher.publish(recordOf(index, { action: key }));
  expect((await publisher.close()).delivered).toBe(keys.length);
  const properties = ["parse.key=true", "key.separator=|"].flatMap((property) => ["--reader-property", property]);
  await runKafkaTool(
    "org.apache.kafka.tools.ConsoleProducer",
    ["--bootstrap-server", target.brokers, "--topic", theirs, ...properties],
    keys.map((key) => `${key}|value\n`).join(""),
  );
  const expected = await partitionsByKey(theirs);
  expect(expected.size).toBe(new Set(keys).size);
  expect(new Set(expected.values()).size).toBe(7);
  expect(await partitionsByKey(ours)).toEqual(expected);
});

test("an empty key is one, too: all its events share the partition that Java chooses", async () => {
  const [ours, theirs] = await Promise.all([target.topic(7), target.topic(7)]);
  const publisher = createKafkaPublisher({ brokers: target.brokers, topic: ours, key: () => "" });
  for (let number = 1; number <= 50; number += 1) publisher.publish(recordOf(number));
  expect((await publisher.close()).delivered).toBe(50);
  const properties = ["parse.key=true", "key.separator=|"].flatMap((property) => ["--reader-property", property]);
  await runKafkaTool(
    "org.apache.kafka.tools.ConsoleProducer",
    ["--bootstrap-server", target.brokers, "--topic", theirs, ...properties],
    "|value\n",
  );
  const records = [...(await target.read(ours)), ...(await target.read(theirs))];
  expect(records).toHaveLength(51);
  expect(new Set(records.map(({ partition }) => partition)).size).toBe(1);
  expect(new Set(records.map(({ key }) => key?.length))).toEqual(new Set([0]));
});
