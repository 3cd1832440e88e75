// A call that never settles is seen.
import { expect, test } from "vitest";
import { pause, until } from "../../support/until.js";
import { recordingLogger } from "../kafka-fixtures.js";
import { forEachTest, gate, startConsumer, write, writeEvents } from "./consumer-fixtures.js";

let brokers: string;
let topic: string;
forEachTest("standstill", (given) => {
  ({ brokers, topic } = given);
});

test("a handler that never settles is reported, and how long its record has been in hand", async () => {
  await writeEvents(brokers, topic, [1, 2], [1]);
  const never = gate();
  const log = recordingLogger();
  const consumer = startConsumer({ brokers, topic, stuckAfterMs: 50, handle: () => never.opened, log });
  const reports = () => log.lines.filter(({ details }) => "kind" in details && details.kind === "handler_stuck");
  await until(() => reports().length === 1, consumer.stats);
  expect(reports()[0]).toMatchObject({
    level: "warn",
    details: { topic, partition: 1, offset: 0, eventId: "event-1" },
    message: "The handler has not settled: its partition waits",
  });
  await until(() => consumer.stats().oldestInHandMs >= 100 && consumer.stats().queued === 2, consumer.stats);
  expect(consumer.stats()).toMatchObject({ retrying: 0, problems: ["standstill"] });
  // Its kind is silent for a minute.
  expect(reports()).toHaveLength(1);
  never.open();
  await until(() => consumer.stats().handled === 2, consumer.stats);
  expect(consumer.stats()).toMatchObject({ oldestInHandMs: 0, problems: [] });
});

test("so is setting a record aside", async () => {
  await write(brokers, topic, [{ partition: 1, value: Buffer.from("garbage") }]);
  const never = gate();
  const log = recordingLogger();
  const consumer = startConsumer({
    brokers,
    topic,
    stuckAfterMs: 50,
    handle() {},
    onInvalid: () => never.opened,
    log,
  });
  const reports = () => log.lines.filter(({ details }) => "kind" in details && details.kind === "set_aside_stuck");
  await until(() => reports().length === 1, consumer.stats);
  expect(consumer.stats().problems).toEqual(["standstill"]);
  never.open();
  await until(() => consumer.stats().invalid.undecodable === 1, consumer.stats);
});

test("a record that is tried again for long is a standstill, too, and a busy partition is none", async () => {
  await writeEvents(brokers, topic, [1, 1], [0]);
  await writeEvents(brokers, topic, [2, 60], [1]);
  let broken = true;
  const consumer = startConsumer({
    brokers,
    topic,
    stuckAfterMs: 150,
    retry: { backoffMs: 1, maxBackoffMs: 5 },
    async handle(_event, { partition }) {
      if (partition === 0 && broken) throw new Error("not yet");
      await pause(10);
    },
    log: false,
  });
  await until(() => consumer.stats().problems.includes("standstill"), consumer.stats);
  broken = false;
  await until(() => consumer.stats().retrying === 0 && consumer.stats().handled > 0, consumer.stats);
  expect(consumer.stats().problems).toEqual([]);
  await until(() => consumer.stats().handled === 60, consumer.stats);
});
