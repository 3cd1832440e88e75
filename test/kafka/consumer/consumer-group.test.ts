import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { loadKafkaClient } from "../../../src/kafka/client/kafka-client.js";
import { type EmbeddedKafka, startEmbeddedKafka } from "../../../src/kafka/embedded.js";
import { pause, until } from "../../support/until.js";
import { killBrokers, startBroker } from "../broker.js";
import { compileKafkaEntry } from "../compiled.js";
import { eventIds, recordingLogger } from "../kafka-fixtures.js";
import { shutProxies, startProxy } from "../proxy.js";
import { gate, quick, startConsumer, writeEvents } from "./consumer-fixtures.js";

let brokers: string;
const topic = "activities";
beforeEach(async () => {
  const kafka: EmbeddedKafka = await startEmbeddedKafka();
  ({ brokers } = kafka);
  // In this order, and all of them after the consumers.
  onTestFinished(async () => {
    await kafka.close();
    await killBrokers();
    await shutProxies();
  });
});

/** A consumer of the group "g" in a process of its own. */
function startChild(address: string, properties: object): { process: ChildProcess; handled: string[] } {
  const script = fileURLToPath(new URL("consumer-process.mjs", import.meta.url));
  const args = [script, compileKafkaEntry(), address, topic, "g", JSON.stringify(properties)];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const handled: string[] = [];
  createInterface(child.stdout).on("line", (line) => handled.push(line));
  return { process: child, handled };
}

/** How far a group has handled the four partitions. */
async function committedOffsets(groupId: string): Promise<number[]> {
  const client = loadKafkaClient().createConsumer({ "bootstrap.servers": brokers, "group.id": groupId });
  await new Promise<void>((resolve, reject) => {
    client.connect({}, (error) => (error ? reject(new Error(error.message)) : resolve()));
  });
  const partitions = [0, 1, 2, 3].map((partition) => ({ topic, partition }));
  const offsets = await new Promise<number[]>((resolve, reject) => {
    client.committed(partitions, 5_000, (error, committed) => {
      if (error) reject(new Error(error.message));
      else resolve(committed.map(({ offset }) => offset));
    });
  });
  await new Promise<void>((resolve) => {
    client.disconnect(() => resolve());
  });
  return offsets;
}

describe("after a restart", () => {
  test("nothing that was handled comes again, and nothing else is missing", async () => {
    await writeEvents(brokers, topic, [1, 400]);
    const first: string[] = [];
    const consumer = startConsumer({
      brokers,
      topic,
      async handle({ eventId }) {
        await pause(1);
        first.push(eventId);
      },
    });
    await until(() => first.length > 50);
    await consumer.close();
    const handledBefore = first.length;
    expect(handledBefore).toBeLessThan(400);
    const second: string[] = [];
    startConsumer({ brokers, topic, handle: ({ eventId }) => void second.push(eventId) });
    await until(() => first.length + second.length >= 400);
    await pause(100);
    expect(first).toHaveLength(handledBefore);
    expect([...first, ...second].sort()).toEqual(eventIds(1, 400).sort());
  });

  test("nothing is lost where the process was killed, and little comes again", async () => {
    await writeEvents(brokers, topic, [1, 12_000]);
    // The broker notices the death after the session timeout. It takes the older protocol's from the client.
    const properties = { "group.protocol": "classic", "session.timeout.ms": 4_000, "heartbeat.interval.ms": 500 };
    const child = startChild(brokers, properties);
    await until(
      () => child.handled.length > 8_000,
      () => child.handled.length,
      // Each event waits for a timer: on a busy machine that takes many times its millisecond.
      60_000,
    );
    const exit = once(child.process, "exit");
    child.process.kill("SIGKILL");
    await exit;
    const before = new Set(child.handled);
    expect(before.size).toBeLessThan(12_000);
    const after: string[] = [];
    const consumer = startConsumer({
      brokers,
      topic,
      groupId: "g",
      properties,
      handle: ({ eventId }) => void after.push(eventId),
    });
    await until(() => consumer.stats().assigned === 4, consumer.stats);
    await until(() => new Set([...before, ...after]).size === 12_000, consumer.stats, 60_000);
    // Offsets are committed once a second, of the more than two that the process had.
    expect(after.length).toBeLessThan(12_000);
  }, 150_000);
});

describe("a group", () => {
  test("that has more members than partitions has them all as members", async () => {
    await writeEvents(brokers, topic, [1, 4]);
    // To the embedded broker, a member that is a moment behind the leader comes too late (1 of 4 runs on a busy machine), and may
    // join again a second before the session would time out: with the default of 45 s, long after this test.
    const properties = { "group.protocol": "classic", "session.timeout.ms": 3_000, "heartbeat.interval.ms": 300 };
    const consumers = Array.from({ length: 5 }, () => startConsumer({ brokers, topic, properties, handle() {} }));
    const stats = () => consumers.map((consumer) => consumer.stats());
    expect(stats().map(({ joined }) => joined)).toEqual([false, false, false, false, false]);
    const assignedInAll = () => stats().reduce((sum, { assigned }) => sum + assigned, 0);
    await until(() => stats().every(({ joined }) => joined) && assignedInAll() === 4, stats);
    expect(stats().filter(({ assigned }) => assigned === 1)).toHaveLength(4);
    expect(stats().filter(({ assigned }) => assigned === 0)).toHaveLength(1);
    await Promise.all(consumers.map((consumer) => consumer.close()));
    expect(stats().map(({ joined }) => joined)).toEqual([false, false, false, false, false]);
  }, 30_000);

  test.each([
    ["range", { "group.protocol": "classic", "partition.assignment.strategy": "range" }],
    ["the default", { "group.protocol": "classic" }],
  ])(
    "of the older protocol, with %s as strategy, reads and commits",
    async (_name, properties) => {
      await writeEvents(brokers, topic, [1, 8]);
      const seen: string[] = [];
      const consumer = startConsumer({
        brokers,
        topic,
        groupId: "g",
        properties,
        handle: ({ eventId }) => void seen.push(eventId),
      });
      await until(() => seen.length === 8, consumer.stats);
      await consumer.close();
      // The embedded broker takes the next member of such a group in only after a while, so nobody joins to see it.
      expect(await committedOffsets("g")).toEqual([2, 2, 2, 2]);
    },
    20_000,
  );

  test("shares the partitions, hands over what is handled, and takes it back", async () => {
    const seen: { member: number; id: string }[] = [];
    const member = (number: number) =>
      startConsumer({ brokers, topic, handle: ({ eventId }) => void seen.push({ member: number, id: eventId }) });
    await writeEvents(brokers, topic, [1, 40]);
    const one = member(1);
    await until(() => seen.length === 40);
    const two = member(2);
    await until(() => one.stats().assigned === 2 && two.stats().assigned === 2);
    await writeEvents(brokers, topic, [41, 80]);
    await until(() => seen.length === 80);
    expect(seen.filter((event) => event.member === 2)).toHaveLength(20);
    await two.close();
    await until(() => one.stats().assigned === 4);
    await writeEvents(brokers, topic, [81, 120]);
    await until(() => seen.length >= 120);
    expect(seen.map(({ id }) => id).sort()).toEqual(eventIds(1, 120).sort());
  }, 30_000);

  test("gets a partition with its retries: the old owner drops them, the new one begins there", async () => {
    await writeEvents(brokers, topic, [1, 40]);
    const fetched = gate();
    const seen: string[] = [];
    const one = startConsumer({
      brokers,
      topic,
      retry: { backoffMs: 5, maxBackoffMs: 5 },
      async handle() {
        await fetched.opened;
        throw new Error("not here");
      },
      log: false,
    });
    // A partition that is tried again is paused: what had not come by then would not be queued.
    await until(() => one.stats().queued === 40, one.stats);
    fetched.open();
    await until(() => one.stats().retrying === 4, one.stats);
    const two = startConsumer({ brokers, topic, handle: ({ eventId }) => void seen.push(eventId) });
    await until(() => two.stats().assigned === 2 && seen.length === 20, two.stats);
    expect(one.stats()).toMatchObject({ assigned: 2, retrying: 2, queued: 20, handled: 0 });
    await one.close();
    // Those that were paused elsewhere are not paused here.
    await until(() => seen.length === 40, two.stats);
    expect([...seen].sort()).toEqual(eventIds(1, 40).sort());
  }, 30_000);

  test("takes back a partition that was paused when it moved away", async () => {
    let broken = true;
    const seen: string[] = [];
    const handle = ({ eventId }: { eventId: string }): void => {
      if (broken) throw new Error("not yet");
      seen.push(eventId);
    };
    await writeEvents(brokers, topic, [1, 40]);
    const one = startConsumer({ brokers, topic, handle, retry: { backoffMs: 5, maxBackoffMs: 5 }, log: false });
    await until(() => one.stats().retrying === 4, one.stats);
    const two = startConsumer({ brokers, topic, handle, retry: { backoffMs: 5, maxBackoffMs: 5 }, log: false });
    await until(() => two.stats().retrying === 2, two.stats);
    await two.close();
    await until(() => one.stats().assigned === 4, one.stats);
    broken = false;
    await until(() => seen.length === 40, one.stats);
    expect([...seen].sort()).toEqual(eventIds(1, 40).sort());
  }, 30_000);

  test("waits for the handler before a partition moves, so that its event does not come twice", async () => {
    await writeEvents(brokers, topic, [1, 4]);
    const slow = gate();
    const one: string[] = [];
    const first = startConsumer({
      brokers,
      topic,
      async handle({ eventId }) {
        await slow.opened;
        one.push(eventId);
      },
    });
    await until(() => first.stats().queued === 4, first.stats);
    const two: string[] = [];
    startConsumer({ brokers, topic, handle: ({ eventId }) => void two.push(eventId) });
    await until(() => first.stats().assigned === 2, first.stats);
    slow.open();
    await until(() => one.length === 4);
    await writeEvents(brokers, topic, [5, 8]);
    await until(() => one.length + two.length === 8);
    expect([...one, ...two].sort()).toEqual(eventIds(1, 8));
  }, 30_000);
});

describe("close", () => {
  test("waits for the handler that runs, and begins no other", async () => {
    await writeEvents(brokers, topic, [1, 10], [0]);
    const slow = gate();
    const seen: string[] = [];
    const consumer = startConsumer({
      brokers,
      topic,
      async handle({ eventId }) {
        await slow.opened;
        seen.push(eventId);
      },
    });
    await until(() => consumer.stats().queued === 10, consumer.stats);
    const closing = consumer.close();
    expect(consumer.close()).toBe(closing);
    slow.open();
    await closing;
    await consumer.closed;
    expect(seen).toEqual(["event-1"]);
    const next: string[] = [];
    startConsumer({ brokers, topic, handle: ({ eventId }) => void next.push(eventId) });
    await until(() => next.length === 9);
    expect(next[0]).toBe("event-2");
  });

  test("does not wait for ever for a handler that hangs: its event comes again", async () => {
    await writeEvents(brokers, topic, [1, 2], [0]);
    const never = gate();
    const consumer = startConsumer({ brokers, topic, closeTimeoutMs: 50, handle: () => never.opened });
    await until(() => consumer.stats().queued === 2, consumer.stats);
    await consumer.close();
    never.open();
    const next: string[] = [];
    startConsumer({ brokers, topic, handle: ({ eventId }) => void next.push(eventId) });
    await until(() => next.length === 2);
    expect(next).toEqual(eventIds(1, 2));
  });

  test("ends a back-off", async () => {
    await writeEvents(brokers, topic, [1, 1]);
    const consumer = startConsumer({
      brokers,
      topic,
      closeTimeoutMs: 60_000,
      retry: { backoffMs: 60_000, maxBackoffMs: 60_000 },
      handle() {
        throw new Error("no");
      },
      log: false,
    });
    await until(() => consumer.stats().retrying === 1, consumer.stats);
    await consumer.close();
    expect(consumer.stats()).toMatchObject({ handled: 0, assigned: 0 });
  });

  test("before anything has begun, and called by a handler", async () => {
    await writeEvents(brokers, topic, [1, 2], [0]);
    await startConsumer({ brokers, topic, handle() {} }).close();
    const seen: string[] = [];
    const consumer = startConsumer({
      brokers,
      topic,
      handle({ eventId }) {
        seen.push(eventId);
        void consumer.close();
      },
    });
    await consumer.closed;
    expect(seen).toEqual(["event-1"]);
  });
});

describe("without a broker", () => {
  test("it begins when one appears, and goes on after an outage", async () => {
    const door = await startProxy();
    const seen: string[] = [];
    const consumer = startConsumer({
      brokers: door.address,
      topic,
      handle: ({ eventId }) => void seen.push(eventId),
      log: false,
    });
    await writeEvents(brokers, topic, [1, 4]);
    await pause(200);
    await door.open(brokers);
    await until(() => seen.length === 4, consumer.stats);
    await door.shut();
    await writeEvents(brokers, topic, [5, 8]);
    await door.open(brokers);
    await until(() => seen.length === 8, consumer.stats);
    expect([...seen].sort()).toEqual(eventIds(1, 8));
  }, 30_000);

  test("close resolves where none was ever there", async () => {
    const consumer = startConsumer({ brokers: "127.0.0.1:1", topic, handle() {}, log: false });
    await pause(50);
    await consumer.close();
    await consumer.closed;
    expect(consumer.stats().assigned).toBe(0);
  });

  test("close resolves where it stopped to answer, says what that means, and leaves when it answers again", async () => {
    const broker = await startBroker();
    await writeEvents(broker.address, topic, [1, 4]);
    const log = recordingLogger();
    const consumer = startConsumer({ brokers: broker.address, topic, handle() {}, log });
    await until(() => consumer.stats().handled === 4, consumer.stats);
    await broker.freeze();
    await consumer.close();
    expect(log.lines.map(({ message }) => message).join()).toContain("their records will come again");
    broker.thaw();
    const next = startConsumer({ brokers: broker.address, topic, handle() {} });
    await until(() => next.stats().assigned === 4, next.stats);
    expect(next.stats().assigned).toBe(4);
  }, 30_000);

  test("the process can exit after close", async () => {
    const broker = await startBroker();
    await writeEvents(broker.address, topic, [1, 100]);
    const child = startChild(broker.address, quick);
    await until(
      () => child.handled.length === 100,
      () => child.handled.length,
    );
    await broker.freeze();
    const exit = once(child.process, "exit");
    child.process.stdin?.write("close\n");
    expect(await exit).toEqual([0, null]);
    expect(child.handled.at(-1)).toBe("closed");
  }, 30_000);
});

describe("for good", () => {
  test("a consumer that cannot start closes, and tells whoever looks", async () => {
    const log = recordingLogger();
    // librdkafka finds this contradiction only when it starts.
    const properties = { "group.protocol": "classic", "session.timeout.ms": 5_000, "max.poll.interval.ms": 1_000 };
    const consumer = startConsumer({ brokers, topic, handle() {}, properties, log });
    await expect(consumer.closed).rejects.toThrow(/The Kafka consumer cannot start .*max.poll.interval.ms/);
    await consumer.close();
    expect(log.lines.some(({ level, message }) => level === "error" && message === "The consumer has ended")).toBe(
      true,
    );
  });
});
