import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Kafka, logLevel } from "kafkajs";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createTroubleLog } from "../../src/base/log.js";
import { consumerSettings } from "../../src/kafka/consumer/consumer-settings.js";
import { watchGroup } from "../../src/kafka/consumer/group-progress.js";
import { createKafkaPublisher } from "../../src/kafka/index.js";
import { compileKafkaEntry } from "../kafka/compiled.js";
import { startConsumer } from "../kafka/consumer/consumer-fixtures.js";
import { eventIds, recordOf } from "../kafka/kafka-fixtures.js";
import { until } from "../support/until.js";
import { bytesOfEvent, publishEvents, startTarget, type Target } from "./kafka-target.js";

let target: Target;
beforeAll(async () => {
  target = await startTarget();
});
afterAll(() => target?.close());

/** How often each event was handled. */
function tally(): { readonly counts: Map<string, number>; handle(event: { readonly eventId: string }): void } {
  const counts = new Map<string, number>();
  return { counts, handle: ({ eventId }) => void counts.set(eventId, (counts.get(eventId) ?? 0) + 1) };
}

function duplicatesIn(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count - 1, 0);
}

describe.each(["classic", "consumer"])("group protocol %s", (protocol) => {
  const properties = { "group.protocol": protocol };

  test("offsets are kept across restarts: no event is handled twice, none left out", async () => {
    const topic = await target.topic(5);
    const groupId = `group of ${topic}`;
    const { brokers } = target;
    const { counts, handle } = tally();
    for (let run = 0; run < 3; run += 1) {
      await publishEvents({ brokers, topic }, [run * 200 + 1, run * 200 + 200]);
      const consumer = startConsumer({ brokers, topic, groupId, handle, properties });
      await until(
        () => counts.size === (run + 1) * 200,
        () => [counts.size, consumer.stats()],
      );
      await consumer.close();
    }
    expect([...counts.keys()].sort()).toEqual(eventIds(1, 600).sort());
    expect(duplicatesIn(counts)).toBe(0);
    const [committed, ends] = await Promise.all([target.admin.committed(groupId, topic), target.admin.ends(topic)]);
    expect(committed).toEqual(ends);
  });

  test("how far it is can be seen from outside", async () => {
    const topic = await target.topic(3);
    const groupId = `group of ${topic}`;
    const { brokers } = target;
    await publishEvents({ brokers, topic }, [1, 100]);
    const settings = consumerSettings({ brokers, groupId, topic, properties, handle() {}, onInvalid() {} });
    const group = watchGroup(settings, createTroubleLog(undefined));
    try {
      for (const _ of [1, 2]) expect(await group.hasCaughtUp()).toBe(false);
      const consumer = startConsumer({ brokers, topic, groupId, properties, handle() {} });
      await until(() => consumer.stats().handled === 100, consumer.stats);
      let asked = 0;
      while (!(await group.hasCaughtUp())) {
        asked += 1;
        if (asked > 100) throw new Error("the offsets are not seen");
        await delay(100);
      }
      expect(consumer.stats().joined).toBe(true);
      await consumer.close();
      await publishEvents({ brokers, topic }, [101, 110]);
      await group.hasCaughtUp();
      expect(await group.hasCaughtUp()).toBe(false);
    } finally {
      await group.close();
    }
  });

  test("members come and go while events come in: each is handled, twice only around a rebalance", async () => {
    const topic = await target.topic(6);
    const { brokers } = target;
    const { counts, handle } = tally();
    const join = () => startConsumer({ brokers, topic, groupId: `group of ${topic}`, handle, properties });
    const publisher = createKafkaPublisher({ brokers, topic, log: false });
    let published = 0;
    const timer = setInterval(() => {
      for (let count = 0; count < 5; count += 1) {
        published += 1;
        publisher.publish(recordOf(published));
      }
    }, 5);
    try {
      const first = join();
      await until(() => counts.size > 500);
      expect(duplicatesIn(counts)).toBe(0);
      const second = join();
      const third = join();
      await until(
        () => [first, second, third].every((member) => member.stats().assigned === 2),
        () => [first, second, third].map((member) => member.stats()),
      );
      await until(() => second.stats().handled > 100 && third.stats().handled > 100);
      await first.close();
      await until(() => second.stats().assigned + third.stats().assigned === 6);
      await second.close();
      await until(() => third.stats().assigned === 6);
      await delay(300);
    } finally {
      clearInterval(timer);
    }
    expect((await publisher.close()).delivered).toBe(published);
    await until(
      () => counts.size === published,
      () => [counts.size, published],
    );
    expect([...counts.keys()].sort()).toEqual(eventIds(1, published).sort());
    // Handlers end before their partitions move on, so even there it is the exception.
    expect(duplicatesIn(counts)).toBeLessThan(published / 10);
  });
});

test("a consumer that is killed: its successor handles the rest, and again only what was not committed", async () => {
  const topic = await target.topic(4);
  const { brokers } = target;
  const groupId = `group of ${topic}`;
  // The broker takes a member for dead after this time; with the newer protocol that time is a setting of the broker.
  const properties = { "group.protocol": "classic", "session.timeout.ms": 6_000 };
  await publishEvents({ brokers, topic }, [1, 8_000]);
  const script = fileURLToPath(new URL("../kafka/consumer/consumer-process.mjs", import.meta.url));
  const args = [script, compileKafkaEntry(), brokers, topic, groupId, JSON.stringify(properties)];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const before = new Set<string>();
  createInterface(child.stdout).on("line", (line) => before.add(line));
  await until(
    () => before.size > 3_000,
    () => before.size,
  );
  child.kill("SIGKILL");
  await once(child, "exit");
  await target.admin.untilEmpty(groupId);
  const committed = [...(await target.admin.committed(groupId, topic)).values()].reduce((sum, end) => sum + end, 0n);
  expect(committed).toBeGreaterThan(0n);
  expect(committed).toBeLessThanOrEqual(8_000n);

  const { counts, handle } = tally();
  const successor = startConsumer({ brokers, topic, groupId, handle, properties });
  await until(
    () => counts.size === 8_000 - Number(committed),
    () => [counts.size, Number(committed), successor.stats()],
  );
  await successor.close();
  expect([...new Set([...before, ...counts.keys()])].sort()).toEqual(eventIds(1, 8_000).sort());
  expect(duplicatesIn(counts)).toBe(0);
});

test("what a transaction of others took back is not handled, and what stands around it is", async () => {
  const topic = await target.topic(1);
  const { brokers } = target;
  const kafka = new Kafka({ brokers: brokers.split(","), logLevel: logLevel.NOTHING });
  const other = kafka.producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 });
  await other.connect();
  onTestFinished(() => other.disconnect());
  const { counts, handle } = tally();
  for (const [from, end] of [
    [1, "abort"],
    [101, "commit"],
  ] as const) {
    const transaction = await other.transaction();
    const values = Array.from({ length: 50 }, (_, index) => Buffer.from(bytesOfEvent(from + index), "base64"));
    await transaction.send({ topic, messages: values.map((value) => ({ value })) });
    await transaction[end]();
    await publishEvents({ brokers, topic }, [from + 50, from + 99]);
  }
  const consumer = startConsumer({ brokers, topic, groupId: `group of ${topic}`, handle });
  await until(
    () => counts.size >= 150,
    () => [counts.size, consumer.stats()],
  );
  await consumer.close();
  expect([...counts.keys()].sort()).toEqual([...eventIds(51, 100), ...eventIds(101, 200)].sort());
});
