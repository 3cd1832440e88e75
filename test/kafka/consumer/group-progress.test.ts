import { beforeEach, expect, onTestFinished, test } from "vitest";
import { createTroubleLog } from "../../../src/base/log.js";
import { consumerSettings } from "../../../src/kafka/consumer/consumer-settings.js";
import { type GroupProgress, watchGroup } from "../../../src/kafka/consumer/group-progress.js";
import { startEmbeddedKafka } from "../../../src/kafka/embedded.js";
import { until } from "../../support/until.js";
import { gate, startConsumer, writeEvents } from "./consumer-fixtures.js";

const topic = "activities";
const groupId = "g";
let brokers: string;
beforeEach(async () => {
  const kafka = await startEmbeddedKafka();
  ({ brokers } = kafka);
  onTestFinished(() => kafka.close());
});

function watch(address: string = brokers): GroupProgress {
  const settings = consumerSettings({ brokers: address, groupId, topic, handle() {}, onInvalid() {} });
  const group = watchGroup(settings, createTroubleLog(false));
  onTestFinished(() => group.close());
  return group;
}

async function untilCaughtUp(group: GroupProgress): Promise<void> {
  let caughtUp = false;
  while (!caughtUp) caughtUp = await group.hasCaughtUp();
}

test("a group has caught up when all that was there the last time is committed, whoever did it", async () => {
  const closed = gate();
  await writeEvents(brokers, topic, [1, 8]);
  const group = watch();
  // It does not know yet what was there, and then there is a group without a member.
  for (const _ of [1, 2, 3]) expect(await group.hasCaughtUp()).toBe(false);
  const members = [1, 2].map(() =>
    startConsumer({
      brokers,
      topic,
      groupId,
      // The third partition's second event takes its time.
      handle: ({ eventId }) => (eventId === "event-7" ? closed.opened : undefined),
    }),
  );
  const handled = (): number => members.reduce((sum, member) => sum + member.stats().handled, 0);
  await until(() => handled() >= 7, handled);
  for (const _ of [1, 2, 3]) expect(await group.hasCaughtUp()).toBe(false);
  closed.open();
  await untilCaughtUp(group);
  expect(handled()).toBeGreaterThanOrEqual(8);
});

test("what came since the last time does not count yet", async () => {
  await writeEvents(brokers, topic, [1, 8]);
  const consumer = startConsumer({ brokers, topic, groupId, handle() {} });
  const group = watch();
  await untilCaughtUp(group);
  await consumer.close();
  await writeEvents(brokers, topic, [9, 9]);
  expect(await group.hasCaughtUp()).toBe(true);
  expect(await group.hasCaughtUp()).toBe(false);
});

test("with a topic that does not exist, no group has caught up", async () => {
  const group = watch();
  for (const _ of [1, 2, 3]) expect(await group.hasCaughtUp()).toBe(false);
});

test("of a topic that is empty in part, nothing is missing there", async () => {
  const group = watch();
  await writeEvents(brokers, topic, [1, 2], [0]);
  startConsumer({ brokers, topic, groupId, handle() {} });
  await untilCaughtUp(group);
});

test("without a broker it rejects", async () => {
  await expect(watch("127.0.0.1:1").hasCaughtUp()).rejects.toThrow(/transport|timed out/i);
}, 20_000);

test("it logs in with tokens, as the members do", async () => {
  let asked = 0;
  const oauthToken = async () => {
    asked += 1;
    return { value: "token", lifetimeMs: Date.now() + 60_000, principal: "" };
  };
  const options = { brokers: "127.0.0.1:1", groupId, topic, oauthToken, handle() {}, onInvalid() {} };
  const group = watchGroup(consumerSettings(options), createTroubleLog(false));
  const answer = group.hasCaughtUp().catch(() => undefined);
  await until(() => asked === 1);
  await answer;
  await group.close();
}, 20_000);

test("a client that could not start is tried anew at the next question", async () => {
  const properties = { "security.protocol": "ssl", "ssl.ca.location": "/nowhere" };
  const settings = consumerSettings({ brokers, groupId, topic, properties, handle() {}, onInvalid() {} });
  const group = watchGroup(settings, createTroubleLog(false));
  const first: unknown = await group.hasCaughtUp().catch((error: unknown) => error);
  const second: unknown = await group.hasCaughtUp().catch((error: unknown) => error);
  expect([first, second]).toEqual([expect.any(Error), expect.any(Error)]);
  expect(second).not.toBe(first);
  await group.close();
});
