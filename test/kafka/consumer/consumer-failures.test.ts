// What becomes of records whose handler says what its failure calls for.
import { afterEach, describe, expect, test } from "vitest";
import type { InvalidReason } from "../../../src/kafka/consumer/consumer-stats.js";
import { type FailureClass, withFailure } from "../../../src/kafka/index.js";
import { until } from "../../support/until.js";
import { eventIds, readRecords, recordingLogger } from "../kafka-fixtures.js";
import { failProduce, shutProxies, startProxy } from "../proxy.js";
import { forEachTest, startConsumer, write, writeEvents } from "./consumer-fixtures.js";

let brokers: string;
let topic: string;
forEachTest("failures", (given) => {
  ({ brokers, topic } = given);
});
afterEach(shutProxies);

const quickRetry = { backoffMs: 1, maxBackoffMs: 5 };
const failWith = (failure: FailureClass): never => {
  throw withFailure(new Error("as it says"), failure);
};

describe("poison", () => {
  test("is set aside at once, and the rest goes on", async () => {
    await writeEvents(brokers, topic, [1, 3], [0]);
    const calls: string[] = [];
    const invalid: [number, InvalidReason][] = [];
    const consumer = startConsumer({
      brokers,
      topic,
      handle({ eventId }) {
        calls.push(eventId);
        if (eventId === "event-2") failWith("poison");
      },
      onInvalid: ({ offset }, reason) => void invalid.push([offset, reason]),
      log: false,
    });
    await until(() => consumer.stats().handled === 2, consumer.stats);
    expect(calls).toEqual(["event-1", "event-2", "event-3"]);
    expect(invalid).toEqual([[1, "poison"]]);
    expect(consumer.stats()).toMatchObject({ invalid: { poison: 1 }, retried: 0, retrying: 0, problems: [] });
  });

  test("in a batch is found by halves, in order, and nothing else is set aside", async () => {
    await writeEvents(brokers, topic, [1, 400], [0]);
    const poison = new Set(["event-50", "event-51", "event-300"]);
    const handled: string[] = [];
    const invalid: number[] = [];
    let calls = 0;
    const consumer = startConsumer({
      brokers,
      topic,
      async handleBatch(items) {
        calls += 1;
        const ids = items.map(({ event }) => event.eventId);
        if (ids.some((id) => poison.has(id))) failWith("poison");
        handled.push(...ids);
      },
      onInvalid: ({ offset }) => void invalid.push(offset),
      log: false,
    });
    await until(() => consumer.stats().handled === 397, consumer.stats);
    expect(handled).toEqual(eventIds(1, 400).filter((id) => !poison.has(id)));
    expect(invalid).toEqual([49, 50, 299]);
    // Each of three takes two calls for each halving of a hundred, at most; and there are batches.
    expect(calls).toBeLessThan(3 * 2 * 7 + 100);
  });
});

test("a permanent failure waits in its partition, whatever the number of attempts, and says so", async () => {
  await writeEvents(brokers, topic, [1, 2], [0]);
  await writeEvents(brokers, topic, [3, 3], [1]);
  const log = recordingLogger();
  let refuses = true;
  const consumer = startConsumer({
    brokers,
    topic,
    retry: { attempts: 2, ...quickRetry },
    handle(_event, { partition }) {
      if (partition === 0 && refuses) failWith("permanent");
    },
    log,
  });
  await until(() => consumer.stats().retried > 5 && consumer.stats().handled === 1, consumer.stats);
  expect(consumer.stats()).toMatchObject({ invalid: {}, retrying: 1, problems: ["handler_blocked"] });
  expect(log.lines).toContainEqual({
    level: "error",
    details: expect.objectContaining({ kind: "handler_blocked", partition: 0, offset: 0, failure: "permanent" }),
    message: expect.stringContaining("until somebody acts"),
  });
  refuses = false;
  await until(() => consumer.stats().handled === 3, consumer.stats);
  expect(consumer.stats()).toMatchObject({ invalid: {}, retrying: 0, problems: [] });
});

test("a topic that does not exist is waited for, in sight", async () => {
  const consumer = startConsumer({
    brokers,
    topic,
    // With the newer protocol the brokers look for topics, and the embedded one does not.
    properties: { "group.protocol": "classic", "topic.metadata.refresh.interval.ms": 100 },
    handle() {},
    log: false,
  });
  await until(() => consumer.stats().problems.length > 0, consumer.stats);
  expect(consumer.stats().problems).toEqual(["read_blocked"]);
  await writeEvents(brokers, topic, [1, 4]);
  await until(() => consumer.stats().handled === 4, consumer.stats);
  expect(consumer.stats().problems).toEqual([]);
}, 60_000);

describe("a record that cannot be set aside", () => {
  test("holds its partition up, in sight, until it can", async () => {
    await write(brokers, topic, [{ partition: 0, value: Buffer.from("garbage") }]);
    let refuses = true;
    const consumer = startConsumer({
      brokers,
      topic,
      retry: quickRetry,
      handle() {},
      onInvalid() {
        if (refuses) failWith("permanent");
      },
      log: false,
    });
    await until(() => consumer.stats().retried > 3, consumer.stats);
    expect(consumer.stats()).toMatchObject({ invalid: {}, lost: 0, problems: ["set_aside_blocked"] });
    refuses = false;
    await until(() => consumer.stats().invalid.undecodable === 1, consumer.stats);
    expect(consumer.stats().problems).toEqual([]);
  });

  test("in any form is counted, logged with its place, and passed over", async () => {
    await write(brokers, topic, [{ partition: 2, value: Buffer.from("garbage") }]);
    await writeEvents(brokers, topic, [1, 1], [2]);
    const log = recordingLogger();
    const consumer = startConsumer({
      brokers,
      topic,
      handle() {},
      onInvalid: () => failWith("poison"),
      log,
    });
    await until(() => consumer.stats().handled === 1, consumer.stats);
    expect(consumer.stats()).toMatchObject({ invalid: {}, lost: 1, retried: 0, problems: [] });
    expect(log.lines).toContainEqual({
      level: "error",
      details: { kind: "record_lost", topic, partition: 2, offset: 0, eventId: undefined, reason: "undecodable" },
      message: "A record can be set aside in no form: it is passed over",
    });
  });
});

describe("a dead letter that the topic does not take", () => {
  /** The headers of the one dead letter, as texts by name; and the letter. */
  async function theLetter(deadLetterTopic: string) {
    const [letter] = await readRecords(brokers, deadLetterTopic, 1);
    const headers = (letter?.headers ?? []).flatMap((header) => Object.entries(header));
    return { letter, headers: Object.fromEntries(headers.map(([name, value]) => [name, String(value)])) };
  }
  // As few as this may be.
  const properties = { "message.max.bytes": 1_000 };

  test("for its size goes without its value, which a header says, and the partition goes on", async () => {
    const deadLetterTopic = `${topic}-dead`;
    const headers = [{ trace: "t" }];
    await write(brokers, topic, [{ partition: 1, value: Buffer.alloc(990_000, 0xff), key: "k", headers }]);
    await writeEvents(brokers, topic, [1, 1], [1]);
    const consumer = startConsumer({ brokers, topic, handle() {}, deadLetterTopic, properties, log: false });
    await until(() => consumer.stats().handled === 1, consumer.stats);
    expect(consumer.stats()).toMatchObject({ invalid: { undecodable: 1 }, lost: 0, retried: 0 });
    const { letter, headers: found } = await theLetter(deadLetterTopic);
    expect([letter?.value, String(letter?.key)]).toEqual([null, "k"]);
    expect(found).toEqual({
      trace: "t",
      "dead-letter-reason": "undecodable",
      "dead-letter-origin-topic": topic,
      "dead-letter-origin-partition": "1",
      "dead-letter-origin-offset": "0",
      "dead-letter-omitted": "value",
      "dead-letter-value-bytes": "990000",
    });
  });

  test("without its value, either, goes with its place and reason alone", async () => {
    const deadLetterTopic = `${topic}-dead`;
    const headers = [{ large: Buffer.alloc(2_000) }];
    await write(brokers, topic, [{ partition: 0, value: Buffer.from("garbage"), key: "k", headers }]);
    const consumer = startConsumer({ brokers, topic, handle() {}, deadLetterTopic, properties, log: false });
    await until(() => consumer.stats().invalid.undecodable === 1, consumer.stats);
    const { letter, headers: found } = await theLetter(deadLetterTopic);
    expect([letter?.value, letter?.key]).toEqual([null, null]);
    expect(found).toMatchObject({ "dead-letter-omitted": "value,key,headers", "dead-letter-value-bytes": "7" });
    expect(Object.keys(found)).not.toContain("large");
  });

  test("in any form is counted and passed over", async () => {
    const door = await startProxy();
    await door.open(brokers);
    // MSG_SIZE_TOO_LARGE, whatever it is.
    door.fault = failProduce(`${topic}-dead`, 10);
    await write(brokers, topic, [{ partition: 0, value: Buffer.from("garbage") }]);
    await writeEvents(brokers, topic, [1, 1], [0]);
    const options = { brokers: door.address, topic, deadLetterTopic: `${topic}-dead` };
    const consumer = startConsumer({ ...options, handle() {}, log: false });
    await until(() => consumer.stats().handled === 1, consumer.stats);
    expect(consumer.stats()).toMatchObject({ invalid: {}, lost: 1 });
  });

  test.each([
    ["for a missing right", 29, "ERR_TOPIC_AUTHORIZATION_FAILED"],
    ["for its compression", 76, "ERR_UNSUPPORTED_COMPRESSION_TYPE"],
  ])("%s waits in sight, and goes there as soon as it may", async (_name, errorCode, code) => {
    const door = await startProxy();
    await door.open(brokers);
    door.fault = failProduce(`${topic}-dead`, errorCode);
    await write(brokers, topic, [{ partition: 0, value: Buffer.from("garbage") }]);
    const log = recordingLogger();
    const options = { brokers: door.address, topic, deadLetterTopic: `${topic}-dead` };
    const consumer = startConsumer({ ...options, handle() {}, retry: quickRetry, log });
    await until(() => consumer.stats().problems.includes("set_aside_blocked"), consumer.stats);
    const blocked = log.lines.find(({ details }) => "kind" in details && details.kind === "set_aside_blocked");
    expect(blocked).toMatchObject({ level: "error", details: { failure: "permanent", code, offset: 0 } });
    door.fault = undefined;
    await until(() => consumer.stats().invalid.undecodable === 1, consumer.stats);
    expect(consumer.stats()).toMatchObject({ lost: 0, problems: [] });
  });
});
