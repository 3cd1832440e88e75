import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { createEventRecord } from "../../src/publishing/event-record.js";
import type { DropReason } from "../../src/publishing/publisher.js";
import { until } from "../support/until.js";
import { CallMaker, changeOneByte, makeCall, openSpool, temporaryFolder } from "./spool-fixtures.js";

const outage = (): "closed" => "closed";

describe("a durable publisher", () => {
  it("delivers events in the order of their numbers, and leaves nothing behind", async () => {
    const directory = temporaryFolder();
    const { publisher, kafka } = openSpool({ directory });
    const calls = new CallMaker();
    for (let index = 0; index < 20; index += 1) await makeCall(publisher, calls);
    await publisher.flush(5_000);
    expect(kafka.events.map(({ sequence }) => Number(sequence))).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
    expect(publisher.stats()).toEqual({ offered: 20, delivered: 20, dropped: {}, queued: 0 });
    expect(publisher.spool()).toMatchObject({ stored: 0, storedBytes: 0, unrecorded: {}, setAside: {} });
    await publisher.close();
    expect(readdirSync(directory)).toEqual([]);
  });

  it("keeps what Kafka did not take for the next process, byte for byte", async () => {
    const directory = temporaryFolder();
    const first = openSpool({ directory });
    first.kafka.outcome = outage;
    const calls = new CallMaker();
    for (let index = 0; index < 10; index += 1) await makeCall(first.publisher, calls);
    expect(await first.publisher.close()).toEqual({ offered: 10, delivered: 0, dropped: {}, queued: 10 });

    const second = openSpool({ directory });
    await until(() => second.kafka.events.length === 10);
    expect(second.kafka.events.map(({ sequence }) => Number(sequence))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    await until(() => second.publisher.spool().recovered === 10);
    await second.publisher.close();
    expect(readdirSync(directory)).toEqual([]);
  });

  it("turns calls whose process died inside the handler into events that say so", async () => {
    const directory = temporaryFolder();
    const first = openSpool({ directory });
    first.kafka.outcome = outage;
    const calls = new CallMaker();
    await makeCall(first.publisher, calls);
    const [one, other] = [calls.start(), calls.start()];
    await first.publisher.begin(createEventRecord(one));
    await first.publisher.begin(createEventRecord(other));
    await first.publisher.close();

    const second = openSpool({ directory });
    await until(() => second.kafka.events.length === 3);
    const told = second.kafka.events.map(({ eventId, sequence, status, interrupted }) => ({
      eventId,
      sequence: Number(sequence),
      status,
      interrupted,
    }));
    expect(told).toEqual([
      { eventId: "run-1-event-1", sequence: 1, status: "OK", interrupted: false },
      { eventId: one.eventId, sequence: 2, status: "", interrupted: true },
      { eventId: other.eventId, sequence: 3, status: "", interrupted: true },
    ]);
    expect(second.publisher.spool().interrupted).toBe(2);
  });

  it.each<DropReason>(["expired", "queue_full", "unauthorized", "unknown_topic", "unconfirmed", "error"])(
    "tries an event again that Kafka dropped as %s",
    async (reason) => {
      const { publisher, kafka } = openSpool();
      let refusals = 2;
      kafka.outcome = () => {
        refusals -= 1;
        return refusals < 0 ? "delivered" : reason;
      };
      await makeCall(publisher, new CallMaker());
      await until(() => kafka.events.length === 1);
      await publisher.flush(5_000);
      expect(publisher.stats()).toEqual({ offered: 1, delivered: 1, dropped: {}, queued: 0 });
    },
  );

  it.each<DropReason>(["too_large", "invalid_record", "invalid_event"])(
    "sets an event aside that Kafka refuses for good as %s, and goes on",
    async (reason) => {
      const directory = temporaryFolder();
      const { publisher, kafka } = openSpool({ directory });
      kafka.outcome = ({ sequence }) => (sequence === 1n ? reason : "delivered");
      const outcomes: string[] = [];
      const calls = new CallMaker();
      for (let index = 0; index < 2; index += 1) {
        const event = calls.start();
        await publisher.begin(createEventRecord(event));
        publisher.publish(calls.end(event), (outcome) => void outcomes.push(outcome));
      }
      await publisher.flush(5_000);
      expect(outcomes).toEqual([reason, "delivered"]);
      expect(publisher.spool().setAside).toEqual({ [reason]: 1 });
      expect(publisher.stats()).toEqual({ offered: 2, delivered: 1, dropped: { [reason]: 1 }, queued: 0 });
      await publisher.close();
      expect(readdirSync(directory)).toEqual([expect.stringMatching(/\.aside$/)]);
    },
  );

  it("hands over no more than a part of a large backlog at a time, and loses no order", async () => {
    const directory = temporaryFolder();
    const first = openSpool({ directory });
    first.kafka.outcome = outage;
    const calls = new CallMaker();
    for (let index = 0; index < 3_000; index += 1) first.publisher.publish(calls.end(calls.start()));
    await first.publisher.flush(0);
    await first.publisher.close();

    const second = openSpool({ directory });
    second.kafka.outcome = () => "waiting";
    await until(() => second.kafka.offered === 2_000);
    await second.publisher.close();

    const third = openSpool({ directory });
    await until(() => third.kafka.events.length === 3_000);
    expect(third.kafka.events.every(({ sequence }, at) => Number(sequence) === at + 1)).toBe(true);
  });
});

describe("a spool", () => {
  it("can be entered by its owner only", async () => {
    const directory = join(temporaryFolder(), "spool");
    const { publisher } = openSpool({ directory });
    await makeCall(publisher, new CallMaker());
    const [folder = ""] = readdirSync(directory);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(join(directory, folder)).mode & 0o777).toBe(0o700);
    const files = readdirSync(join(directory, folder)).map((name) => join(directory, folder, name));
    expect(files.length).toBeGreaterThan(3);
    await until(() => files.every((file) => (statSync(file).mode & 0o777) === 0o600));
  });

  it("does not mind a clock that is set back", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    const directory = temporaryFolder();
    const first = openSpool({ directory });
    first.kafka.outcome = outage;
    const calls = new CallMaker();
    await makeCall(first.publisher, calls);
    const running = calls.start();
    await first.publisher.begin(createEventRecord(running));
    vi.setSystemTime(Date.now() - 10 * 24 * 60 * 60 * 1_000);
    await makeCall(first.publisher, calls);
    await first.publisher.close();

    const second = openSpool({ directory });
    await until(() => second.kafka.events.length === 3);
    expect(second.kafka.events.map(({ sequence, interrupted }) => [Number(sequence), interrupted])).toEqual([
      [1, false],
      [2, false],
      [3, true],
    ]);
    await second.publisher.close();
    expect(readdirSync(directory)).toEqual([]);
  });

  it("is left alone while its process lives", async () => {
    const directory = temporaryFolder();
    const first = openSpool({ directory });
    first.kafka.outcome = outage;
    await makeCall(first.publisher, new CallMaker("run-1"));
    const second = openSpool({ directory });
    await makeCall(second.publisher, new CallMaker("run-2"));
    await second.publisher.flush(5_000);
    expect(second.kafka.events.map(({ instanceId }) => instanceId)).toEqual(["run-2"]);
  });

  it("shows nobody what it holds, with a key, and is left alone by those without it", async () => {
    const directory = temporaryFolder();
    const encryptionKey = Buffer.alloc(32, 7);
    const first = openSpool({ directory, encryptionKey });
    first.kafka.outcome = outage;
    await makeCall(first.publisher, new CallMaker());
    await first.publisher.close();
    const [name = ""] = readdirSync(directory);
    const folder = join(directory, name);
    const files = readdirSync(folder).map((file) => readFileSync(join(folder, file)));
    expect(files.some((file) => file.includes("account-service"))).toBe(false);

    const warnings: object[] = [];
    const warn = (details: object): void => void warnings.push(details);
    const log = { debug() {}, info() {}, warn, error: warn };
    const other = openSpool({ directory, encryptionKey: Buffer.alloc(32, 8), log });
    await until(() => warnings.length > 0);
    expect(warnings).toEqual([expect.objectContaining({ kind: "spool_not_adopted", folder })]);
    await other.publisher.close();

    const right = openSpool({ directory, encryptionKey });
    await until(() => right.kafka.events.length === 1);
  });

  it("that is damaged is kept, and what can be read of it is delivered", async () => {
    const directory = temporaryFolder();
    const first = openSpool({ directory });
    first.kafka.outcome = outage;
    const calls = new CallMaker();
    for (let index = 0; index < 5; index += 1) await makeCall(first.publisher, calls);
    await first.publisher.close();
    const [name = ""] = readdirSync(directory);
    const manifest = readdirSync(join(directory, name)).find((file) => file.startsWith("MANIFEST"));
    writeFileSync(join(directory, name, manifest ?? ""), "not a manifest");

    const second = openSpool({ directory });
    await until(() => second.kafka.events.length === 5);
    expect(second.publisher.spool().damaged).toBe(1);
    expect(await readdir(directory)).toContain(`${name}.damaged`);
  });

  it("sets an event aside whose bytes have changed, and delivers the others", async () => {
    const directory = temporaryFolder();
    const first = openSpool({ directory });
    first.kafka.outcome = outage;
    const calls = new CallMaker();
    for (let index = 0; index < 3; index += 1) await makeCall(first.publisher, calls);
    await first.publisher.close();
    await changeOneByte(directory);

    const second = openSpool({ directory });
    await until(() => second.kafka.events.length === 2);
    expect(second.publisher.spool().setAside).toEqual({ damaged: 1 });
  });
});

describe("a call that cannot be recorded before it runs", () => {
  it("runs by default, and its event is delivered from memory", async () => {
    const file = join(temporaryFolder(), "file");
    writeFileSync(file, "in the way");
    const { publisher, kafka } = openSpool({ directory: file });
    const calls = new CallMaker();
    await makeCall(publisher, calls);
    await makeCall(publisher, calls);
    await until(() => kafka.events.length === 2);
    expect(publisher.stats()).toEqual({ offered: 2, delivered: 2, dropped: {}, queued: 0 });
    expect(publisher.spool().unrecorded.error).toBeGreaterThan(0);
    expect(publisher.problem()).toBe("spool_failed");
  });

  it("is refused if the operator says so", async () => {
    const file = join(temporaryFolder(), "file");
    writeFileSync(file, "in the way");
    const { publisher } = openSpool({ directory: file, onUnrecordable: "refuse" });
    expect(await publisher.begin(createEventRecord(new CallMaker().start()))).toBe("refuse");
    expect(publisher.spool()).toMatchObject({ refused: 1, unrecorded: { error: 1 } });
  });

  it("counts as such when the spool is full, and no longer when Kafka has taken what was there", async () => {
    const { publisher, kafka } = openSpool({ maxBytes: 64 * 1024, onUnrecordable: "refuse" });
    let isOut = true;
    kafka.outcome = () => (isOut ? "queue_full" : "delivered");
    const calls = new CallMaker();
    let taken = 0;
    while (taken < 5_000) {
      const event = calls.start();
      if ((await publisher.begin(createEventRecord(event))) === "refuse") break;
      publisher.publish(calls.end(event));
      taken += 1;
    }
    expect(publisher.problem()).toBe("spool_full");
    expect(publisher.spool()).toMatchObject({ stored: taken, refused: 1, unrecorded: { full: 1 } });
    expect(publisher.spool().storedBytes).toBeLessThanOrEqual(64 * 1024 + 100);
    isOut = false;
    await until(() => publisher.problem() === undefined);
    expect(await publisher.begin(createEventRecord(calls.start()))).toBeUndefined();
  });

  it("counts as such after the end", async () => {
    const { publisher, kafka } = openSpool();
    await publisher.close();
    const calls = new CallMaker();
    await makeCall(publisher, calls);
    expect(kafka.offered).toBe(0);
    expect(publisher.stats().dropped).toEqual({ closed: 1 });
    expect(publisher.spool().unrecorded).toEqual({ closed: 1 });
  });

  it("goes into the spool again when the disk is back", async () => {
    const parent = temporaryFolder();
    const directory = join(parent, "spool");
    writeFileSync(directory, "in the way");
    const { publisher, kafka } = openSpool({ directory });
    const calls = new CallMaker();
    await makeCall(publisher, calls);
    await until(() => kafka.events.length === 1);
    const { rm } = await import("node:fs/promises");
    await rm(directory);
    await mkdir(directory);
    await until(() => publisher.problem() === undefined);
    kafka.outcome = outage;
    await makeCall(publisher, calls);
    await until(() => publisher.spool().stored === 1);
  });
});
