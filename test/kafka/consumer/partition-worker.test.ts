import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { createTroubleLog } from "../../../src/base/log.js";
import type { NativeMessage } from "../../../src/kafka/client/kafka-client.js";
import { createPacer } from "../../../src/kafka/consumer/pacer.js";
import { type PartitionContext, PartitionWorker } from "../../../src/kafka/consumer/partition-worker.js";
import { bytesOf } from "./consumer-fixtures.js";

function worker(handle: PartitionContext["settings"]["handle"]) {
  return new PartitionWorker(0, {
    settings: { topic: "t", handle, batchSize: 1, retry: { attempts: Infinity, backoffMs: 1, maxBackoffMs: 1 } },
    pacer: createPacer(),
    log: createTroubleLog(false),
    setAside: () => Promise.resolve(),
    store() {},
    setPaused() {},
    handled() {},
    retried() {},
    lost() {},
  });
}

const records = (...offsets: number[]): NativeMessage[] =>
  offsets.map((offset) => ({ topic: "t", partition: 0, offset, value: bytesOf(offset), size: 1 }));

it("takes what a topic that was deleted and made again holds, though its offsets begin anew", async () => {
  const handled: number[] = [];
  const one = worker(([item]) => void handled.push(item!.record.offset));
  one.take(records(100, 101));
  await one.idle;
  one.take(records(0, 1, 2));
  await one.idle;
  expect(handled).toEqual([100, 101, 0, 1, 2]);
});

it("does not take twice what it still holds", async () => {
  const handled: number[] = [];
  const one = worker(async ([item]) => {
    await sleep(5);
    handled.push(item!.record.offset);
  });
  one.take(records(7, 8, 9));
  one.take(records(8, 9, 10));
  await one.idle;
  expect(handled).toEqual([7, 8, 9, 10]);
});
