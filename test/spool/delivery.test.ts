import fc from "fast-check";
import { expect, it } from "vitest";
import type { EventRecord } from "../../src/publishing/event-record.js";
import type { Publisher, Settled } from "../../src/publishing/publisher.js";
import { Delivery } from "../../src/spool/delivery.js";
import { finishedKey } from "../../src/spool/spool-keys.js";
import { WriteQueue } from "../../src/spool/write-queue.js";
import { MemoryStore } from "./memory-store.js";
import { CallMaker } from "./spool-fixtures.js";

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

it("delivers each event once and in its order, whatever the disk and Kafka do first", async () => {
  const choices = fc.array(fc.constantFrom("disk", "kafka", "add", "wait"), { minLength: 50, maxLength: 200 });
  const property = fc.asyncProperty(choices, async (all) => {
    const calls = new CallMaker();
    const store = new MemoryStore();
    const queue = new WriteQueue(store, () => {});
    const inFlight: { record: EventRecord; settled: Settled | undefined }[] = [];
    const delivered: bigint[] = [];
    const publisher: Publisher = {
      publish: (record, settled) => void inFlight.push({ record, settled }),
      stats: () => ({ offered: 0, delivered: 0, dropped: {}, queued: 0 }),
      close: () => Promise.resolve(publisher.stats()),
    };
    const observer = {
      delivered: ({ sequence }: EventRecord) => void delivered.push(sequence),
      setAside() {},
      readFailed() {},
    };
    const delivery = new Delivery(store, queue, publisher, observer, { window: 4, read: 2 });
    let added = 0;

    function take(choice: string): void {
      if (choice === "disk") store.step(true);
      else if (choice === "kafka") {
        const next = inFlight.shift();
        next?.settled?.("delivered", next.record);
      } else if (choice === "add") {
        added += 1;
        const record = calls.end(calls.start());
        queue.write([{ type: "put", key: finishedKey(record), value: record.bytes }], () => delivery.add(record));
      }
    }

    for (const choice of all) {
      take(choice);
      if (choice === "wait") await turn();
      else await Promise.resolve();
      expect(inFlight.length).toBeLessThanOrEqual(4);
    }
    for (let quiet = 0; quiet < 5; quiet += 1) {
      if (store.pending + inFlight.length > 0) quiet = 0;
      take("disk");
      take("kafka");
      await turn();
    }
    await delivery.idle();
    expect(delivered).toEqual(Array.from({ length: added }, (_, at) => BigInt(at + 1)));
    expect(store.entries.size).toBe(0);
  });
  await fc.assert(property, { numRuns: 500 });
});
