// The states of a call, and what leads from one to the next. `disk` is what a crash leaves behind.
//
// | state       | disk holds        | Kafka may have        | next                                                       |
// | ----------- | ----------------- | --------------------- | ---------------------------------------------------------- |
// | new         | nothing           | nothing               | the start is written: begun. A crash: no call, no event     |
// | begun       | the start         | nothing               | the end is written: finished. A crash: interrupted          |
// | finished    | the event         | nothing, or the event | delivered: removed. A crash: finished, in the next process  |
// | interrupted | the event         | nothing, or the event | as finished                                                |
// | removed     | nothing           | the event             |                                                            |
//
// The number of an event is in the write that makes it finished or interrupted, beside the last number of its run. So a crash
// leaves both or neither, and nobody gives the number again.
import { create } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type SessionActivityEvent,
  SessionActivityEventSchema,
} from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { createTroubleLog } from "../../src/base/log.js";
import { createEventRecord, type EventRecord } from "../../src/publishing/event-record.js";
import type { DropReason, Publisher, Settled } from "../../src/publishing/publisher.js";
import { Delivery } from "../../src/spool/delivery.js";
import { SpoolingPublisher } from "../../src/spool/durable-publisher.js";
import { endInterruptedCalls } from "../../src/spool/interrupted.js";
import { durableSettings } from "../../src/spool/spool-options.js";
import type { SpoolTrouble } from "../../src/spool/spool-troubles.js";
import { WriteQueue } from "../../src/spool/write-queue.js";
import { MemoryStore } from "./memory-store.js";

type Step =
  | { readonly do: "begin" }
  | { readonly do: "finish" }
  | { readonly do: "write" }
  | { readonly do: "deliver" }
  | { readonly do: "drop"; readonly reason: DropReason }
  | { readonly do: "crash"; readonly isLastWriteTaken: boolean; readonly isWhileRecovering: boolean };

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Step>({ do: "begin" }) },
  { weight: 4, arbitrary: fc.constant<Step>({ do: "finish" }) },
  { weight: 8, arbitrary: fc.constant<Step>({ do: "write" }) },
  { weight: 4, arbitrary: fc.constant<Step>({ do: "deliver" }) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom<DropReason>("expired", "queue_full", "fatal")
      .map((reason): Step => ({ do: "drop", reason })),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("crash" as const),
      isLastWriteTaken: fc.boolean(),
      isWhileRecovering: fc.boolean(),
    }),
  },
);

/** Kafka, which takes what it is told to take. */
class Kafka implements Publisher {
  readonly #inFlight: { record: EventRecord; settled: Settled | undefined }[] = [];

  readonly #topic: EventRecord[];

  constructor(topic: EventRecord[]) {
    this.#topic = topic;
  }

  publish(record: EventRecord, settled?: Settled): void {
    this.#inFlight.push({ record, settled });
  }

  get inFlight(): number {
    return this.#inFlight.length;
  }

  settle(outcome: "delivered" | DropReason): void {
    const next = this.#inFlight.shift();
    if (next === undefined) return;
    // What is given up may have arrived all the same.
    if (outcome === "delivered" || outcome === "expired") this.#topic.push(next.record);
    next.settled?.(outcome, next.record);
  }

  stats = () => ({ offered: 0, delivered: 0, dropped: {}, queued: 0 });
  close = () => Promise.resolve(this.stats());
}

const log = createTroubleLog<SpoolTrouble>(false);
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

let made = 0;
function newId(kind: string): string {
  made += 1;
  return `${kind}-${String(made).padStart(8, "0")}`;
}

/** A process with a run of its own, and the spool of the process before it. */
class Process {
  readonly instanceId = newId("run");
  readonly kafka: Kafka;
  readonly store = new MemoryStore();
  readonly adopted: MemoryStore;
  readonly publisher: SpoolingPublisher;
  readonly running: SessionActivityEvent[] = [];
  #sequence = 0n;

  constructor(topic: EventRecord[], left: ReadonlyMap<string, Uint8Array>) {
    this.kafka = new Kafka(topic);
    this.adopted = new MemoryStore(left);
    const settings = durableSettings({ directory: "nowhere", publisher: this.kafka, log: false });
    const queue = new WriteQueue(this.adopted, () => {});
    const delivery = new Delivery(this.adopted, queue, this.kafka, { delivered() {}, setAside() {}, readFailed() {} });
    // One by one, so that a crash comes between.
    void endInterruptedCalls(this.adopted, 1).then(() => delivery.wake());
    this.publisher = new SpoolingPublisher(settings, this.store, log, () => ({ stop: async () => delivery.stop() }));
  }

  /** The handler runs when the start is stored. */
  begin(handlerRan: (eventId: string) => void): string {
    const event = create(SessionActivityEventSchema, {
      eventId: newId("event"),
      instanceId: this.instanceId,
      startedAt: timestampNow(),
    });
    void this.#run(event, handlerRan);
    return event.eventId;
  }

  async #run(event: SessionActivityEvent, handlerRan: (eventId: string) => void): Promise<void> {
    await this.publisher.begin(createEventRecord(event));
    handlerRan(event.eventId);
    this.running.push(event);
  }

  finish(): void {
    const event = this.running.shift();
    if (event === undefined) return;
    this.#sequence += 1n;
    this.publisher.publish(createEventRecord({ ...event, status: "OK", sequence: this.#sequence }));
  }

  /** What lies on the disk when it has died. A store that was adopted and is not empty is adopted again. */
  die(isLastWriteTaken: boolean): ReadonlyMap<string, Uint8Array> {
    return new Map([...this.adopted.die(isLastWriteTaken), ...this.store.die(isLastWriteTaken)]);
  }
}

/** Lets everything go well until nothing is left to do. */
async function settle(process: Process): Promise<void> {
  for (let quiet = 0; quiet < 20; quiet += 1) {
    for (const store of [process.store, process.adopted]) {
      while (store.pending > 0) {
        quiet = 0;
        store.step(true);
        await turn();
      }
    }
    while (process.kafka.inFlight > 0) {
      quiet = 0;
      process.kafka.settle("delivered");
      await turn();
    }
    await turn();
  }
}

interface Run {
  /** The events of all calls, and of those whose handler ran. */
  readonly called: Set<string>;
  readonly ran: Set<string>;
  readonly topic: EventRecord[];
  readonly crashes: number;
}

async function runSteps(all: readonly Step[]): Promise<Run> {
  const topic: EventRecord[] = [];
  const called = new Set<string>();
  const ran = new Set<string>();
  let process = new Process(topic, new Map());
  let crashes = 0;

  function crash(isLastWriteTaken: boolean): void {
    crashes += 1;
    process = new Process(topic, process.die(isLastWriteTaken));
  }

  async function take(step: Step): Promise<void> {
    switch (step.do) {
      case "begin":
        called.add(process.begin((eventId) => void ran.add(eventId)));
        return;
      case "finish":
        process.finish();
        return;
      case "write":
        process.adopted.step(true);
        process.store.step(true);
        return;
      case "deliver":
        process.kafka.settle("delivered");
        return;
      case "drop":
        process.kafka.settle(step.reason);
        return;
      case "crash":
        crash(step.isLastWriteTaken);
        if (!step.isWhileRecovering) return;
        await turn();
        crash(!step.isLastWriteTaken);
    }
  }

  for (const step of all) {
    await take(step);
    await turn();
  }
  // The last process dies, too, so that all that began has an end.
  await settle(process);
  crash(true);
  await settle(process);
  return { called, ran, topic, crashes };
}

describe("a durable publisher, whatever order writes, reports and crashes come in", () => {
  it("loses no call whose handler ran, invents none, and makes no twins", async () => {
    const seen = { crashes: 0, interrupted: 0, replayed: 0 };
    const property = fc.asyncProperty(fc.array(steps, { minLength: 20, maxLength: 100 }), async (all) => {
      const { called, ran, topic, crashes } = await runSteps(all);
      const events = topic.map((record) => record.decode());
      const ids = new Set(events.map(({ eventId }) => eventId));
      expect([...ran].filter((id) => !ids.has(id))).toEqual([]);
      expect([...ids].filter((id) => !called.has(id))).toEqual([]);
      const contents = new Map<string, string>();
      const numbers = new Map<string, string>();
      for (const { eventId, instanceId, sequence, status, interrupted } of events) {
        const content = `${instanceId}/${sequence}/${status}/${interrupted}`;
        const number = `${instanceId}/${sequence}`;
        expect(contents.get(eventId) ?? content).toBe(content);
        expect(numbers.get(number) ?? eventId).toBe(eventId);
        expect(sequence).toBeGreaterThan(0n);
        expect(status).toBe(interrupted ? "" : "OK");
        contents.set(eventId, content);
        numbers.set(number, eventId);
      }
      seen.crashes += crashes;
      seen.interrupted += events.filter(({ interrupted }) => interrupted).length;
      seen.replayed += events.length - ids.size;
    });
    await fc.assert(property, { numRuns: 1_000 });
    // It proves something only if all of this happened.
    expect(Math.min(seen.crashes, seen.interrupted, seen.replayed)).toBeGreaterThan(100);
  });
});
