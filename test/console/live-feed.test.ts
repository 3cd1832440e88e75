import { toBinary } from "@bufbuild/protobuf";
import { expect, it, onTestFinished } from "vitest";
import { LiveFeed } from "../../src/console/live-feed.js";
import { createMaskedView } from "../../src/console/masked-view.js";
import type { LiveMessage } from "../../src/console/messages.js";
import { RunTable } from "../../src/console/run-table.js";
import { type SessionActivityEvent, SessionActivityEventSchema } from "../../src/index.js";
import type { NativeMessage } from "../../src/kafka/client/kafka-client.js";
import { until } from "../support/until.js";
import { callEvent } from "./console-fixtures.js";

function createFeed(): LiveFeed {
  const feed = new LiveFeed({
    runs: new RunTable(Date.now()),
    view: createMaskedView(),
    connections: () => ({ eventsConnected: true, runsConnected: true }),
  });
  onTestFinished(() => feed.close());
  return feed;
}

const messageOf = (value: Uint8Array): NativeMessage => ({
  topic: "t",
  partition: 0,
  offset: 0,
  size: value.length,
  value,
});
const take = (feed: LiveFeed, events: readonly SessionActivityEvent[]): void =>
  feed.takeEvents(events.map((event) => messageOf(toBinary(SessionActivityEventSchema, event))));
const some = (from: number, to: number): SessionActivityEvent[] =>
  Array.from({ length: to - from }, (_, index) => callEvent({ id: `e-${from + index}` }));
const idsOf = (messages: readonly LiveMessage[]): string[] =>
  messages.flatMap(({ events }) => events.map(({ id }) => id));
const idsFrom = (from: number, to: number): string[] => some(from, to).map(({ eventId }) => eventId);

it("tells each viewer what comes, and one who comes back what he missed", async () => {
  const feed = createFeed();
  const first: LiveMessage[] = [];
  const leave = feed.watch((message) => first.push(message), undefined);
  take(feed, some(0, 10));
  await until(() => idsOf(first).length === 10);
  leave();
  const place = { feed: first.at(-1)!.feed, last: first.at(-1)!.last };
  take(feed, some(10, 30));
  const back: LiveMessage[] = [];
  feed.watch((message) => back.push(message), place);
  expect(back).toMatchObject([{ skipped: 0, isNew: false, last: 30 }]);
  expect(idsOf(back)).toEqual(idsFrom(10, 30));
  take(feed, some(30, 31));
  await until(() => idsOf(back).length === 21);
  expect(idsOf(back)).toEqual(idsFrom(10, 31));
});

it("counts what it leaves out, and says if it is another feed", () => {
  const feed = createFeed();
  take(feed, some(0, 5_000));
  const { events, last } = [...watched(feed, undefined)][0]!;
  expect([events.length, events.at(-1)?.id, last]).toEqual([500, "e-4999", 5_000]);
  const place = { feed: watched(feed, undefined)[0]!.feed, last: 100 };
  expect(watched(feed, place)).toMatchObject([{ skipped: 4_400, isNew: false }]);
  // Nobody was ever there.
  expect(watched(feed, { ...place, last: 1e9 })).toMatchObject([{ events: [], skipped: 0 }]);
  expect(watched(feed, { feed: "of another start", last: 4_990 })).toMatchObject([{ skipped: 0, isNew: true }]);
});

function watched(feed: LiveFeed, place: Parameters<LiveFeed["watch"]>[1]): LiveMessage[] {
  const messages: LiveMessage[] = [];
  feed.watch((message) => messages.push(message), place)();
  return messages;
}

it("shows an event once, and marks the second one with a signature", () => {
  const feed = createFeed();
  take(feed, [
    callEvent({ id: "a", signature: "s" }),
    callEvent({ id: "a", signature: "s" }),
    callEvent({ id: "b", signature: "s" }),
  ]);
  const [message] = watched(feed, undefined);
  expect(message?.events.map(({ id, replayed }) => [id, replayed])).toEqual([
    ["a", false],
    ["b", true],
  ]);
});

it("counts records without an event, and cuts what is too long", () => {
  const feed = createFeed();
  feed.takeEvents([messageOf(Buffer.from("no event")), messageOf(Buffer.alloc(0))]);
  take(feed, [
    callEvent({ id: "long", action: "x".repeat(100_000), service: "y".repeat(100_000), problem: "z".repeat(100_000) }),
  ]);
  expect(feed.completeness().invalid).toBe(2);
  const [message] = watched(feed, undefined);
  expect(JSON.stringify(message?.events).length).toBeLessThan(5_000);
  expect(feed.find("long")?.bytes).toBeUndefined();
});
