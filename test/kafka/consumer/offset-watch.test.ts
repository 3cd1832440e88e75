import { expect, it } from "vitest";
import type { NativeMessage } from "../../../src/kafka/client/kafka-client.js";
import { OffsetWatch } from "../../../src/kafka/consumer/offset-watch.js";

const messages = (...offsets: number[]): NativeMessage[] =>
  offsets.map((offset) => ({ topic: "t", partition: 3, offset, value: null, size: 0 }));

const watchOf = (lowOffset: number, highOffset: number): OffsetWatch =>
  new OffsetWatch(() => ({ lowOffset, highOffset }));

it("counts what retention deleted before the first record, and between two", () => {
  const watch = watchOf(635, 1_000);
  watch.begin(3, 100);
  expect(watch.received(messages(635, 636))).toEqual([{ partition: 3, from: 100, to: 635, missed: 535 }]);
  expect(watch.received(messages(637))).toEqual([]);
  const later = watchOf(20, 30);
  expect(later.received(messages(5, 6, 25))).toEqual([{ partition: 3, from: 7, to: 25, missed: 13 }]);
});

it("takes what compaction or a transaction left out for no reset", () => {
  const watch = watchOf(100, 1_000);
  watch.begin(3, 100);
  expect(watch.received(messages(105, 110))).toEqual([]);
});

it("sees a topic that was made again, and no reset in what comes twice after a pause", () => {
  const again = watchOf(0, 3);
  again.begin(3, 100);
  expect(again.received(messages(0, 1, 2))).toEqual([{ partition: 3, from: 100, to: 0, missed: 0 }]);
  const twice = watchOf(0, 1_000);
  expect(twice.received(messages(8, 9, 10, 9, 10, 11))).toEqual([]);
});

it("says nothing of a group without offsets, of another partition, or if nobody knows the ends", () => {
  const fresh = watchOf(50, 60);
  fresh.begin(3, 10);
  // Given back, and taken by a group that has no offsets any more.
  fresh.begin(3, undefined);
  fresh.begin(2, 10);
  expect(fresh.received(messages(50))).toEqual([]);
  const unknown = new OffsetWatch(() => undefined);
  unknown.begin(3, 10);
  expect(unknown.received(messages(50))).toEqual([]);
});
