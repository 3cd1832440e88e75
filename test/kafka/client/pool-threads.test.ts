import { stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { SessionActivityEventSchema } from "../../../gen/sessionactivity/v1/session_activity_pb.js";
import { holdingThread } from "../../../src/kafka/client/pool-threads.js";
import { createKafkaPublisher, createSessionActivityConsumer, startEmbeddedKafka } from "../../../src/kafka/index.js";
import { createEventRecord } from "../../../src/publishing/event-record.js";
import { until } from "../../support/until.js";
import { quick } from "../consumer/consumer-fixtures.js";
import { type Proxy as Door, shutProxies, startProxy } from "../proxy.js";

afterEach(shutProxies);

/** Work that ends when it is told to. */
function work(name: string, begun: string[]) {
  let end = (): void => {};
  const ended = new Promise<string>((resolve) => {
    end = () => resolve(name);
  });
  const result = holdingThread(() => {
    begun.push(name);
    return ended;
  });
  return { result, end: () => end() };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("two at a time, in the order in which they came", async () => {
  const begun: string[] = [];
  const all = ["a", "b", "c", "d"].map((name) => work(name, begun));
  await turn();
  expect(begun).toEqual(["a", "b"]);
  all[1]!.end();
  await turn();
  expect(begun).toEqual(["a", "b", "c"]);
  for (const { end } of all) end();
  expect(await Promise.all(all.map(({ result }) => result))).toEqual(["a", "b", "c", "d"]);
});

test("what fails makes room, too", async () => {
  const failures = [1, 2, 3].map((number) =>
    holdingThread(() => {
      throw new Error(`failure ${number}`);
    }),
  );
  const settled = await Promise.allSettled(failures);
  expect(settled.map((one) => one.status)).toEqual(["rejected", "rejected", "rejected"]);
  expect(await holdingThread(() => Promise.resolve("after"))).toBe("after");
});

test("what hangs keeps nobody from going on", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const begun: string[] = [];
  const [one, other] = [work("one", begun), work("other", begun)];
  const third = work("third", begun);
  await vi.advanceTimersByTimeAsync(9_000);
  expect(begun).toEqual(["one", "other"]);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(begun).toEqual(["one", "other", "third"]);
  for (const { end } of [one, other, third]) end();
  expect(await Promise.all([one.result, other.result, third.result])).toEqual(["one", "other", "third"]);
});

/** A door to an embedded broker. */
async function startDoor(): Promise<Door> {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  const door = await startProxy();
  await door.open(kafka.brokers);
  return door;
}

const silence = (): Promise<void> => new Promise(() => {});

/** How long the process waits at most for a thread of the pool until the promise settles. */
async function longestWait(promise: Promise<unknown>): Promise<number> {
  let isDone = false;
  void promise.finally(() => {
    isDone = true;
  });
  let longest = 0;
  while (!isDone) {
    const asked = performance.now();
    await stat(".");
    longest = Math.max(longest, performance.now() - asked);
    await delay(5);
  }
  return longest;
}

test("publishers that close while their broker is silent leave threads for everybody else", async () => {
  const door = await startDoor();
  door.fault = silence;
  const publishers = [1, 2, 3, 4, 5, 6].map(() =>
    createKafkaPublisher({ brokers: door.address, closeTimeoutMs: 3_000, log: false }),
  );
  for (const publisher of publishers) publisher.publish(createEventRecord(create(SessionActivityEventSchema)));
  expect(await longestWait(Promise.all(publishers.map((one) => one.close())))).toBeLessThan(1_500);
  for (const publisher of publishers) expect(publisher.stats().dropped).toEqual({ close_timeout: 1 });
});

test("so do consumers", async () => {
  const door = await startDoor();
  const consumers = [1, 2, 3, 4, 5, 6].map((number) =>
    createSessionActivityConsumer({
      brokers: door.address,
      topic: "session-activities",
      groupId: `group-${number}`,
      handle() {},
      onInvalid() {},
      log: false,
      properties: quick,
    }),
  );
  await until(() => consumers.every((one) => one.stats().joined));
  door.fault = silence;
  expect(await longestWait(Promise.all(consumers.map((one) => one.close())))).toBeLessThan(1_500);
});
