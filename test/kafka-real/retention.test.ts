// What a group finds that was away for longer than its records are kept.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { startConsumer } from "../kafka/consumer/consumer-fixtures.js";
import { eventIds, recordingLogger } from "../kafka/kafka-fixtures.js";
import { until } from "../support/until.js";
import { publishEvents, startTarget, type Target } from "./kafka-target.js";
import { runKafkaTool } from "./kafka-tool.js";

let target: Target;
beforeAll(async () => {
  target = await startTarget();
});
afterAll(() => target?.close());

/** Deletes the records of a topic's only partition before that offset, by Kafka's own tool, as retention does. */
async function deleteHead(topic: string, offset: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "offsets-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "offsets.json");
  writeFileSync(file, JSON.stringify({ version: 1, partitions: [{ topic, partition: 0, offset }] }));
  const args = ["--bootstrap-server", target.brokers, "--offset-json-file", file];
  const answer = await runKafkaTool("org.apache.kafka.tools.DeleteRecordsCommand", args);
  expect(String(answer)).toContain(`low_watermark: ${offset}`);
}

describe.each(["earliest", "latest"] as const)("a group with offsets and startAt: %s", (startAt) => {
  test.each(["classic", "consumer"])("goes on at the oldest record there is (protocol %s)", async (protocol) => {
    const topic = await target.topic(1);
    const { brokers } = target;
    const properties = { "group.protocol": protocol };
    const groupId = `group of ${topic}`;
    const seen: string[] = [];
    const log = recordingLogger();
    const read = () =>
      startConsumer({
        brokers,
        topic,
        groupId,
        startAt,
        properties,
        handle: ({ eventId }) => void seen.push(eventId),
        log,
      });

    const first = read();
    await until(() => first.stats().assigned === 1, first.stats);
    // With "latest", where the end was is looked up some time after the assignment.
    for (let number = 1; seen.length === 0; number += 1) await publishEvents({ brokers, topic }, [number, number]);
    await until(() => first.stats().queued === 0, first.stats);
    await first.close();
    const committed = Number((await target.admin.committed(groupId, topic)).get(0));
    expect(committed).toBeGreaterThan(0);

    seen.length = 0;
    await publishEvents({ brokers, topic }, [1_001, 2_000]);
    await deleteHead(topic, committed + 365);
    const second = read();
    await until(() => seen.length === 635, second.stats);
    expect(seen).toEqual(eventIds(1_366, 2_000));
    expect(second.stats()).toMatchObject({ resets: 1, missed: 365 });
    const resets = log.lines.filter(({ details }) => "kind" in details && details.kind === "offset_reset");
    expect(resets.map(({ details }) => details)).toMatchObject([
      { topic, partition: 0, from: committed, to: committed + 365, missed: 365 },
    ]);
    await second.close();
  });
});

test("a partition that is overtaken while its handler is at work goes on at the oldest record, and counts", async () => {
  const topic = await target.topic(1);
  const { brokers } = target;
  await publishEvents({ brokers, topic }, [1, 5_000]);
  let broken = true;
  const seen: string[] = [];
  const consumer = startConsumer({
    brokers,
    topic,
    startAt: "latest",
    // So that most of the topic is still to be fetched when its head is deleted.
    properties: { "group.protocol": "classic", "queued.min.messages": 1, "fetch.message.max.bytes": 20_000 },
    retry: { backoffMs: 5, maxBackoffMs: 20 },
    handle({ eventId }) {
      if (broken) throw new Error("not yet");
      seen.push(eventId);
    },
    log: false,
  });
  await until(() => consumer.stats().assigned === 1, consumer.stats);
  for (let number = 0; consumer.stats().retrying === 0; number += 1) {
    await publishEvents({ brokers, topic }, [10_000 + number, 10_000 + number]);
  }
  await publishEvents({ brokers, topic }, [20_001, 23_000]);
  const end = Number((await target.admin.ends(topic)).get(0));
  await deleteHead(topic, end - 100);
  broken = false;
  await until(() => seen.at(-1) === "event-23000", consumer.stats);
  expect(seen.slice(-100)).toEqual(eventIds(22_901, 23_000));
  expect(consumer.stats().resets).toBe(1);
  expect(consumer.stats().missed).toBeGreaterThan(0);
  // All offsets from the first one seen to the end were either handled or missed.
  expect(seen.length + consumer.stats().missed).toBeGreaterThanOrEqual(3_000);
});
