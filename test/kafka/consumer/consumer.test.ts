import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { describe, expect, test } from "vitest";
import { SessionActivityEventSchema } from "../../../gen/sessionactivity/v1/session_activity_pb.js";
import type { SessionActivityRecord } from "../../../src/kafka/consumer/consumed-record.js";
import { consumerSettings } from "../../../src/kafka/consumer/consumer-settings.js";
import { refusalOf } from "../../support/refusal.js";
import { pause, until } from "../../support/until.js";
import { eventIds, eventOf, readRecords, recordingLogger } from "../kafka-fixtures.js";
import { bytesOf, forEachTest, gate, startConsumer, write, writeEvents } from "./consumer-fixtures.js";

let brokers: string;
let topic: string;
forEachTest("activities", (given) => {
  ({ brokers, topic } = given);
});

describe("events", () => {
  test("come typed, once, and in the order of their partition", async () => {
    await writeEvents(brokers, topic, [1, 400]);
    const seen: [number, bigint][] = [];
    const consumer = startConsumer({
      brokers,
      topic,
      handle: ({ sequence }, { partition }) => void seen.push([partition, sequence]),
    });
    await until(() => seen.length >= 400, consumer.stats);
    for (const partition of [0, 1, 2, 3]) {
      const own = seen.filter(([from]) => from === partition).map(([, sequence]) => Number(sequence));
      expect(own).toEqual(Array.from({ length: 100 }, (_, index) => index * 4 + partition + 1));
    }
    expect(consumer.stats()).toEqual({
      handled: 400,
      invalid: {},
      lost: 0,
      resets: 0,
      missed: 0,
      retried: 0,
      joined: true,
      assigned: 4,
      retrying: 0,
      queued: 0,
      lag: 0,
      oldestInHandMs: 0,
      problems: [],
    });
  });

  test("of a partition wait for an asynchronous handler, those of other partitions do not", async () => {
    await writeEvents(brokers, topic, [1, 8], [0, 1]);
    const first = gate();
    const seen: string[] = [];
    startConsumer({
      brokers,
      topic,
      async handle({ eventId }) {
        if (eventId === "event-1") await first.opened;
        seen.push(eventId);
      },
    });
    await until(() => seen.length === 4);
    expect(seen).toEqual(["event-2", "event-4", "event-6", "event-8"]);
    first.open();
    await until(() => seen.length === 8);
    expect(seen.slice(4)).toEqual(["event-1", "event-3", "event-5", "event-7"]);
  });

  test("come with the record that held them", async () => {
    const headers = [{ "content-type": "application/protobuf" }, { twice: "1" }, { twice: Buffer.from([0xff]) }];
    await write(brokers, topic, [{ partition: 2, value: bytesOf(1), key: "user-1", headers }]);
    const records: SessionActivityRecord[] = [];
    startConsumer({ brokers, topic, handle: (_event, record) => void records.push(record) });
    await until(() => records.length === 1);
    const [record] = records;
    expect(record).toMatchObject({ topic, partition: 2, offset: 0 });
    expect(Math.abs(record!.timestampMs! - Date.now())).toBeLessThan(60_000);
    expect(Buffer.from(record!.key!).toString()).toBe("user-1");
    expect(record!.headers.map(({ key, value }) => [key, [...value]])).toEqual([
      ["content-type", [...Buffer.from("application/protobuf")]],
      ["twice", [0x31]],
      ["twice", [0xff]],
    ]);
    expect([...record!.value!]).toEqual([...bytesOf(1)]);
  });

  test("of a newer schema keep the fields that only it knows when they are published again", async () => {
    const newer = new BinaryWriter();
    newer.tag(999, WireType.LengthDelimited).string("from the future");
    const value = Buffer.concat([bytesOf(1), newer.finish()]);
    await write(brokers, topic, [{ value }]);
    const again: Uint8Array[] = [];
    startConsumer({
      brokers,
      topic,
      handle: (event) => void again.push(toBinary(SessionActivityEventSchema, event)),
    });
    await until(() => again.length === 1);
    expect([...again[0]!]).toEqual([...value]);
  });

  test("that came before the group's first start are read by default, and not with startAt: latest", async () => {
    await writeEvents(brokers, topic, [1, 20]);
    const fromStart: string[] = [];
    const fromNow: string[] = [];
    startConsumer({ brokers, topic, groupId: "a", handle: ({ eventId }) => void fromStart.push(eventId) });
    const late = startConsumer({
      brokers,
      topic,
      groupId: "b",
      startAt: "latest",
      handle: ({ eventId }) => void fromNow.push(eventId),
    });
    await until(() => fromStart.length === 20 && late.stats().assigned === 4);
    // Where "now" is, is looked up some time after the assignment: until one has come, more are sent.
    for (let number = 21; fromNow.length === 0; number += 1) await writeEvents(brokers, topic, [number, number]);
    expect(fromNow.filter((id) => eventIds(1, 20).includes(id))).toEqual([]);
  });

  test("of a topic that comes into being later are read", async () => {
    const seen: string[] = [];
    startConsumer({
      brokers,
      topic,
      // With the newer protocol the brokers look for topics, and the embedded one does not.
      properties: { "group.protocol": "classic", "topic.metadata.refresh.interval.ms": 100 },
      handle: ({ eventId }) => void seen.push(eventId),
    });
    await pause(300);
    await writeEvents(brokers, topic, [1, 4]);
    await until(() => seen.length === 4);
    expect(seen.sort()).toEqual(eventIds(1, 4));
  }, 20_000);

  test("in a backlog leave the event loop its turns", async () => {
    await writeEvents(brokers, topic, [1, 1_000]);
    const longest = { sync: 0 };
    let turns = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      turns += 1;
      longest.sync = Math.max(longest.sync, performance.now() - last);
      last = performance.now();
    }, 1);
    const consumer = startConsumer({
      brokers,
      topic,
      // A handler that promises, and never leaves the main thread.
      async handle() {
        const end = performance.now() + 1;
        while (performance.now() < end);
      },
    });
    await until(() => consumer.stats().handled === 1_000, consumer.stats);
    clearInterval(timer);
    // A second of work in slices of 10 ms; without any there would be some ten turns.
    expect(turns, `longest pause ${longest.sync} ms`).toBeGreaterThan(50);
  });

  test("come in order and without a gap through a slow handler that is left behind", async () => {
    await writeEvents(brokers, topic, [1, 3_000], [0]);
    const seen: number[] = [];
    const slow = gate();
    const consumer = startConsumer({
      brokers,
      topic,
      async handle({ sequence }) {
        if (sequence === 1n) await slow.opened;
        seen.push(Number(sequence));
      },
    });
    await until(() => consumer.stats().queued >= 1_000, consumer.stats);
    await pause(100);
    // What it holds is bounded: the rest waits in Kafka.
    expect(consumer.stats().queued).toBeLessThan(1_500);
    slow.open();
    await until(() => seen.length >= 3_000, consumer.stats);
    expect(seen).toEqual(Array.from({ length: 3_000 }, (_, index) => index + 1));
  });
});

describe("a handler that fails", () => {
  test("is tried again until it succeeds, and holds up its partition only", async () => {
    await writeEvents(brokers, topic, [1, 8], [0, 1]);
    let broken = true;
    const seen: string[] = [];
    let attempts = 0;
    const consumer = startConsumer({
      brokers,
      topic,
      retry: { backoffMs: 5, maxBackoffMs: 20 },
      handle({ eventId }) {
        if (eventId === "event-3") attempts += 1;
        if (eventId === "event-3" && broken) throw new Error("the database is down");
        seen.push(eventId);
      },
      log: false,
    });
    await until(() => attempts > 5 && seen.length === 5, consumer.stats);
    expect(seen.filter((id) => id !== "event-1")).toEqual(["event-2", "event-4", "event-6", "event-8"]);
    // What comes meanwhile on other partitions is handled, too.
    await writeEvents(brokers, topic, [9, 12], [1, 2]);
    await until(() => seen.length === 9, consumer.stats);
    expect(consumer.stats()).toMatchObject({ retrying: 1, assigned: 4, handled: 9 });
    broken = false;
    await until(() => seen.length === 12, consumer.stats);
    expect(seen.slice(9)).toEqual(["event-3", "event-5", "event-7"]);
    expect(consumer.stats()).toMatchObject({ retrying: 0, invalid: {}, handled: 12, retried: attempts - 1 });
  });

  test("waits twice as long each time, up to a bound", async () => {
    await writeEvents(brokers, topic, [1, 1]);
    const times: number[] = [];
    startConsumer({
      brokers,
      topic,
      retry: { backoffMs: 40, maxBackoffMs: 160 },
      async handle() {
        times.push(performance.now());
        if (times.length < 6) throw new Error("not yet");
      },
      log: false,
    });
    await until(() => times.length === 6);
    const gaps = times.slice(1).map((time, index) => time - times[index]!);
    for (const [index, least] of [40, 80, 160, 160, 160].entries()) expect(gaps[index]).toBeGreaterThan(least - 3);
  });

  test("gives its event up after so many attempts, and goes on", async () => {
    await writeEvents(brokers, topic, [1, 3], [0]);
    const seen: string[] = [];
    const invalid: unknown[] = [];
    const consumer = startConsumer({
      brokers,
      topic,
      retry: { attempts: 3, backoffMs: 1 },
      async handle({ eventId }) {
        seen.push(eventId);
        if (eventId === "event-2") throw new Error("never");
      },
      onInvalid: ({ offset }, reason) => void invalid.push([offset, reason]),
      log: false,
    });
    await until(() => consumer.stats().handled === 2, consumer.stats);
    expect(seen).toEqual(["event-1", "event-2", "event-2", "event-2", "event-3"]);
    expect(invalid).toEqual([[1, "handler_failed"]]);
    expect(consumer.stats()).toMatchObject({ invalid: { handler_failed: 1 }, retried: 2, queued: 0 });
  });

  test("is reported without what it said, since that may quote the session context", async () => {
    await writeEvents(brokers, topic, [1, 1]);
    const log = recordingLogger();
    let failed = false;
    const consumer = startConsumer({
      brokers,
      topic,
      retry: { backoffMs: 1 },
      handle({ encodedSessionContext }) {
        if (failed) return;
        failed = true;
        throw Object.assign(new RangeError(`bad: ${encodedSessionContext}`), { code: "E_BAD" });
      },
      log,
    });
    await until(() => consumer.stats().handled === 1, consumer.stats);
    const [line] = log.lines.filter(({ message }) => message === "The handler failed");
    expect(line?.details).toMatchObject({ topic, offset: 0, eventId: "event-1", error: "RangeError", code: "E_BAD" });
    expect(JSON.stringify(line)).toContain("consumer.test.ts:");
    expect(JSON.stringify(log.lines)).not.toContain("ccccc");
  });
});

describe("batches", () => {
  test("hold events of one partition, in order, up to 100", async () => {
    await writeEvents(brokers, topic, [1, 1_000]);
    const batches: { partition: number; sequences: number[] }[] = [];
    const consumer = startConsumer({
      brokers,
      topic,
      async handleBatch(items) {
        const sequences = items.map(({ event }) => Number(event.sequence));
        expect(new Set(items.map(({ record }) => record.partition)).size).toBe(1);
        batches.push({ partition: items[0]!.record.partition, sequences });
      },
    });
    await until(() => consumer.stats().handled === 1_000, consumer.stats);
    for (const partition of [0, 1, 2, 3]) {
      const own = batches.filter((batch) => batch.partition === partition).flatMap(({ sequences }) => sequences);
      expect(own).toEqual(Array.from({ length: 250 }, (_, index) => index * 4 + partition + 1));
    }
    const sizes = batches.map(({ sequences }) => sequences.length);
    expect(Math.max(...sizes)).toBeGreaterThan(1);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(100);
  });

  test("that fail are tried again as a whole", async () => {
    await writeEvents(brokers, topic, [1, 10], [0]);
    const seen: string[][] = [];
    const consumer = startConsumer({
      brokers,
      topic,
      retry: { backoffMs: 1 },
      async handleBatch(items) {
        seen.push(items.map(({ event }) => event.eventId));
        if (seen.length === 1) throw new Error("not yet");
      },
      log: false,
    });
    await until(() => consumer.stats().handled === 10, consumer.stats);
    expect(seen[1]!.slice(0, seen[0]!.length)).toEqual(seen[0]);
    expect(new Set(seen.slice(1).flat()).size).toBe(10);
  });

  test("that are given up are halved, and only what fails alone is set aside", async () => {
    await write(brokers, topic, [
      ...[1, 2, 3].map((number) => ({ partition: 0, value: bytesOf(number) })),
      { partition: 0, value: Buffer.from("garbage") },
      ...[4, 5].map((number) => ({ partition: 0, value: bytesOf(number) })),
    ]);
    const handled: string[] = [];
    const invalid: unknown[] = [];
    const consumer = startConsumer({
      brokers,
      topic,
      retry: { attempts: 2, backoffMs: 1 },
      handleBatch(items) {
        const ids = items.map(({ event }) => event.eventId);
        if (ids.includes("event-2")) throw new Error("poison");
        handled.push(...ids);
      },
      onInvalid: ({ offset }, reason) => void invalid.push([offset, reason]),
      log: false,
    });
    await until(() => consumer.stats().handled === 4, consumer.stats);
    expect(handled).toEqual(["event-1", "event-3", "event-4", "event-5"]);
    expect(invalid).toEqual([
      [1, "handler_failed"],
      [3, "undecodable"],
    ]);
  });
});

describe("records that hold no event", () => {
  const noEventId = toBinary(SessionActivityEventSchema, create(SessionActivityEventSchema, { service: "x" }));
  const bad = [
    { partition: 0, value: Buffer.from("garbage") },
    { partition: 0, value: null },
    { partition: 0, value: Buffer.alloc(0) },
    { partition: 0, value: noEventId },
    { partition: 0, value: bytesOf(1).subarray(0, 40) },
  ];

  test("are set aside with the reason, and never stop the partition", async () => {
    await write(brokers, topic, [...bad, { partition: 0, value: bytesOf(2) }]);
    const invalid: unknown[] = [];
    const seen: string[] = [];
    const consumer = startConsumer({
      brokers,
      topic,
      handle: ({ eventId }) => void seen.push(eventId),
      async onInvalid({ offset, value }, reason) {
        invalid.push([offset, value?.length, reason]);
      },
    });
    await until(() => seen.length === 1, consumer.stats);
    expect(invalid).toEqual([
      [0, 7, "undecodable"],
      [1, undefined, "empty_value"],
      [2, undefined, "empty_value"],
      [3, noEventId.length, "no_event_id"],
      [4, 40, "undecodable"],
    ]);
    expect(consumer.stats().invalid).toEqual({ undecodable: 2, empty_value: 2, no_event_id: 1 });
  });

  test("go to the dead letters as they were, and with where they came from", async () => {
    const deadLetterTopic = `${topic}-dead`;
    const headers = [{ trace: Buffer.from([1, 0xff]) }, { trace: "b" }];
    const key = Buffer.from([0xfe, 1]);
    await write(brokers, topic, [{ partition: 3, value: Buffer.from("garbage"), key, headers }, ...bad.slice(1, 2)]);
    const consumer = startConsumer({ brokers, topic, handle() {}, deadLetterTopic });
    await until(() => consumer.stats().invalid.undecodable === 1 && consumer.stats().invalid.empty_value === 1);
    const letters = await readRecords(brokers, deadLetterTopic, 2);
    const letter = letters.find(({ value }) => value !== null);
    expect(Buffer.from(letter!.value!).toString()).toBe("garbage");
    expect([...Buffer.from(letter!.key as Uint8Array)]).toEqual([0xfe, 1]);
    const text = (header: object): unknown[] => Object.entries(header).map(([name, value]) => [name, String(value)]);
    expect(letter!.headers!.slice(0, 2)).toEqual([{ trace: Buffer.from([1, 0xff]) }, { trace: Buffer.from("b") }]);
    expect(letter!.headers!.slice(2).flatMap(text)).toEqual([
      ["dead-letter-reason", "undecodable"],
      ["dead-letter-origin-topic", topic],
      ["dead-letter-origin-partition", "3"],
      ["dead-letter-origin-offset", "0"],
    ]);
    expect(letters.find(({ value }) => value === null)?.headers?.flatMap(text)[0]).toEqual([
      "dead-letter-reason",
      "empty_value",
    ]);
  });

  test("keep an empty key, which is another one than none", async () => {
    const deadLetterTopic = `${topic}-dead`;
    const value = Buffer.from("garbage");
    await write(brokers, topic, [
      { partition: 0, value, key: "" },
      { partition: 1, value },
    ]);
    const consumer = startConsumer({ brokers, topic, handle() {}, deadLetterTopic });
    await until(() => consumer.stats().invalid.undecodable === 2);
    const letters = await readRecords(brokers, deadLetterTopic, 2);
    expect(new Set(letters.map(({ key }) => key?.length))).toEqual(new Set([0, undefined]));
  });

  test("whose setting aside fails are tried again, and their partition waits", async () => {
    await write(brokers, topic, [...bad.slice(0, 1), { partition: 0, value: bytesOf(2) }]);
    await writeEvents(brokers, topic, [3, 3], [1]);
    let broken = true;
    const seen: string[] = [];
    const options = { brokers, topic, retry: { backoffMs: 1, maxBackoffMs: 10 }, log: false } as const;
    const consumer = startConsumer({
      ...options,
      handle: ({ eventId }) => void seen.push(eventId),
      async onInvalid() {
        if (broken) throw new Error("nowhere to put it");
      },
    });
    await until(() => consumer.stats().retried > 3 && seen.length === 1, consumer.stats);
    expect(seen).toEqual(["event-3"]);
    // The record behind it may be here, or still with the broker: the partition is paused.
    expect(consumer.stats()).toMatchObject({ invalid: {}, retrying: 1 });
    broken = false;
    await until(() => seen.length === 2, consumer.stats);
    expect(consumer.stats()).toMatchObject({ invalid: { undecodable: 1 }, retrying: 0, queued: 0 });
  });
});

describe("options", () => {
  const good = { brokers: "127.0.0.1:1", groupId: "g", handle() {}, onInvalid() {} };
  const topicName = "1 to 249 of A-Z a-z 0-9 . _ -, and neither . nor ..";
  const kafkaProperties =
    "properties must be librdkafka properties: an object of texts, numbers and booleans by name, got an object";
  test.each<[object, string, string, string?]>([
    [{ brokers: "" }, "brokers", 'brokers must be "host:port", or several joined by commas or in an array, got ""'],
    [
      { brokers: undefined },
      "brokers",
      'brokers must be given, "host:port", or several joined by commas or in an array, or the variable SESSION_TRACKING_KAFKA_BROKERS',
      "MISSING",
    ],
    [{ groupId: "" }, "groupId", 'groupId must be a text that is not empty, got ""'],
    [
      { groupId: undefined },
      "groupId",
      "groupId must be given, a text that is not empty, or the variable SESSION_TRACKING_CONSUMER_GROUP",
      "MISSING",
    ],
    [{ topic: "a topic" }, "topic", `topic must be ${topicName}, got "a topic"`],
    [{ handle: undefined }, "handle", "handle must be given, a function, or handleBatch", "MISSING"],
    [{ handle: "x" }, "handle", "handle must be a function, got a text of 1 character"],
    [{ handleBatch() {} }, "handleBatch", "handle and handleBatch must not both be given: leave one out", "CONFLICT"],
    [{ handle: undefined, handleBatch: 1 }, "handleBatch", "handleBatch must be a function, got 1"],
    [{ onInvalid: undefined }, "onInvalid", "onInvalid must be given, a function, or deadLetterTopic", "MISSING"],
    [{ onInvalid: true }, "onInvalid", "onInvalid must be a function, got true"],
    [
      { deadLetterTopic: "dead" },
      "deadLetterTopic",
      "onInvalid and deadLetterTopic must not both be given: leave one out",
      "CONFLICT",
    ],
    [
      { onInvalid: undefined, deadLetterTopic: "session-activities" },
      "deadLetterTopic",
      'deadLetterTopic must be another topic than the one that is read, got "session-activities"',
    ],
    [{ onInvalid: undefined, deadLetterTopic: "" }, "deadLetterTopic", `deadLetterTopic must be ${topicName}, got ""`],
    [{ startAt: "beginning" }, "startAt", 'startAt must be "earliest" or "latest", got "beginning"'],
    [{ retry: 3 }, "retry", "retry must be an object with options, got 3"],
    [
      { retry: { attempts: 0 } },
      "retry.attempts",
      "retry.attempts must be a whole number from 1 upward, or Infinity, got 0",
    ],
    [
      { retry: { backoffMs: 0 } },
      "retry.backoffMs",
      "retry.backoffMs must be a whole number of milliseconds from 1 to 2147483647, got 0",
    ],
    [
      { retry: { backoffMs: 100, maxBackoffMs: 50 } },
      "retry.maxBackoffMs",
      "retry.maxBackoffMs must not be less than retry.backoffMs",
      "CONFLICT",
    ],
    [
      { retry: { maxAttempts: 3 } },
      "retry.maxAttempts",
      "retry.maxAttempts is not an option of createSessionActivityConsumer: did you mean retry.attempts?",
      "UNKNOWN",
    ],
    [
      { closeTimeoutMs: -1 },
      "closeTimeoutMs",
      "closeTimeoutMs must be a number of milliseconds from 0 to 2147483647, got -1",
    ],
    [
      { properties: { "enable.auto.offset.store": true } },
      "properties",
      `${kafkaProperties}: leave out enable.auto.offset.store, this`,
    ],
    [
      { properties: { "auto.offset.reset": "latest" } },
      "properties",
      `${kafkaProperties}: leave out auto.offset.reset, this`,
    ],
    [{ properties: { "fetch.wait.max.ms": null } }, "properties", `${kafkaProperties}: fetch.wait.max.ms is null`],
    [
      { log: "stderr" },
      "log",
      'log must be a logger with the methods debug, info, warn and error, or false, got "stderr"',
    ],
  ])("%j is refused", (wrong, option, message, code = "INVALID") => {
    const refusal = refusalOf(() => startConsumer({ ...good, ...wrong }));
    expect(refusal.message).toContain(message);
    expect(refusal).toMatchObject({ option, code: `ERR_OPTION_${code}` });
  });

  test("a first pause longer than the longest by default is the longest", () => {
    const { retry } = consumerSettings({ ...good, retry: { backoffMs: 60_000 }, env: false });
    expect(retry).toEqual({ attempts: Number.POSITIVE_INFINITY, backoffMs: 60_000, maxBackoffMs: 60_000 });
  });

  test("a property that librdkafka does not know is refused", () => {
    expect(() => startConsumer({ ...good, properties: { "no.such.property": 1 } })).toThrow(/no.such.property/);
  });

  test("an event of the shape that is published is what a handler gets", async () => {
    await write(brokers, topic, [
      { value: toBinary(SessionActivityEventSchema, eventOf(1, { attributes: { a: "b" } })) },
    ]);
    const seen: unknown[] = [];
    startConsumer({ brokers: [brokers], topic, handle: (event) => void seen.push(event) });
    await until(() => seen.length === 1);
    expect(seen[0]).toEqual(eventOf(1, { attributes: { a: "b" } }));
  });
});
