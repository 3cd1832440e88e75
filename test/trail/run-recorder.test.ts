import { createHash } from "node:crypto";
import { create, fromBinary } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SessionActivityEventSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import {
  type SessionActivityRun,
  SessionActivityRunSchema,
} from "../../gen/sessionactivity/v1/session_activity_run_pb.js";
import { createEventRecord, type EventRecord } from "../../src/publishing/event-record.js";
import type { DropReason, Publisher, PublisherStats, Settled } from "../../src/publishing/publisher.js";
import type { RunRecord, RunRecordSettled } from "../../src/publishing/run-record.js";
import { createRunRecorder, type RunRecorder } from "../../src/trail/run-recorder.js";
import { recordingLogger } from "../kafka/kafka-fixtures.js";
import { eventOf, minuteMs } from "./run-fixtures.js";

/** What stands for Kafka: a test says what becomes of each record. */
class Kafka implements Publisher {
  readonly waiting: { record: EventRecord; settled: Settled | undefined }[] = [];
  readonly runRecords: SessionActivityRun[] = [];
  runOutcome: "delivered" | DropReason | "waiting" = "delivered";
  #waitingRun: RunRecordSettled | undefined;

  publish(record: EventRecord, settled?: Settled): void {
    this.waiting.push({ record, settled });
  }

  publishRun({ bytes }: RunRecord, settled: RunRecordSettled): void {
    this.runRecords.push(fromBinary(SessionActivityRunSchema, bytes));
    if (this.runOutcome === "waiting") this.#waitingRun = settled;
    else settled(this.runOutcome);
  }

  settleRun(outcome: "delivered" | DropReason): void {
    this.#waitingRun?.(outcome);
  }

  /** Settles the events with these numbers. */
  settle(outcome: "delivered" | DropReason, ...numbers: readonly number[]): void {
    for (const number of numbers) {
      const index = this.waiting.findIndex(({ record }) => record.sequence === BigInt(number));
      const [found] = this.waiting.splice(index, 1);
      found?.settled?.(outcome, found.record);
    }
  }

  stats(): PublisherStats {
    return { offered: 0, delivered: 7, dropped: { expired: 2 }, queued: this.waiting.length };
  }

  async close(lastly?: () => Promise<void>): Promise<PublisherStats> {
    await lastly?.();
    return this.stats();
  }

  get last(): SessionActivityRun {
    return this.runRecords.at(-1)!;
  }
}

const counts = { skipped: { refused: 1 }, bypassed: 2, leftEarly: 3, unverified: { missing: 4 } };

interface Scene {
  readonly kafka: Kafka;
  readonly recorder: RunRecorder;
  readonly lines: ReturnType<typeof recordingLogger>["lines"];
}

function startRun(kafka = new Kafka()): Scene {
  const log = recordingLogger();
  const recorder = createRunRecorder({ publisher: kafka, log });
  recorder.start({ instanceId: "run-1", service: "account-service", counts: () => counts });
  return { kafka, recorder, lines: log.lines };
}

function recordOf(number: number): EventRecord {
  return createEventRecord(eventOf(number));
}

function publish(recorder: Publisher, first: number, last: number): void {
  for (let number = first; number <= last; number += 1) recorder.publish(recordOf(number));
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("the records of a run", () => {
  it("come at the start, every minute and at the end", async () => {
    const { kafka, recorder } = startRun();
    publish(recorder, 1, 3);
    kafka.settle("delivered", 1, 2, 3);
    vi.advanceTimersByTime(2 * minuteMs);
    await recorder.close();
    vi.advanceTimersByTime(5 * minuteMs);
    expect(kafka.runRecords.map(({ state, lastSequence }) => [state, lastSequence])).toEqual([
      ["STARTED", 0n],
      ["RUNNING", 3n],
      ["RUNNING", 3n],
      ["ENDED", 3n],
    ]);
    const [first, second] = kafka.runRecords;
    expect(second).toMatchObject({
      instanceId: "run-1",
      service: "account-service",
      startedAt: first!.startedAt,
      confirmedSequence: 3n,
      undeclaredLosses: 0n,
      spooled: false,
      counts: {
        delivered: 7n,
        dropped: { expired: 2n },
        skipped: { refused: 1n },
        bypassed: 2n,
        leftEarly: 3n,
        unverified: { missing: 4n },
      },
      rootHash: new Uint8Array(),
      checkpoint: "",
      previous: new Uint8Array(),
    });
    expect(Number(second!.at!.seconds - first!.at!.seconds)).toBe(60);
    expect(recorder.runs()).toEqual({ open: 0, delivered: 4, dropped: {}, declared: 0, undeclared: 0, unnamed: 0 });
  });

  it("cover every number given, and confirm those before the first that is on its way", () => {
    const { kafka, recorder } = startRun();
    publish(recorder, 1, 5);
    kafka.settle("delivered", 1, 2, 4);
    vi.advanceTimersByTime(minuteMs);
    expect(kafka.last).toMatchObject({ lastSequence: 5n, confirmedSequence: 2n });
    kafka.settle("expired", 3);
    vi.advanceTimersByTime(minuteMs);
    expect(kafka.last).toMatchObject({ lastSequence: 5n, confirmedSequence: 4n, losses: [{ sequence: 3n }] });
  });

  it("declare losses with RFC 9162's hash of the event and the reason, once", () => {
    const { kafka, recorder } = startRun();
    publish(recorder, 1, 2);
    kafka.settle("delivered", 2);
    kafka.settle("queue_full", 1);
    vi.advanceTimersByTime(2 * minuteMs);
    const hash = createHash("sha256").update("\0").update(recordOf(1).bytes).digest();
    const [, declaring, after] = kafka.runRecords;
    expect(declaring!.losses).toMatchObject([{ sequence: 1n, reason: "queue_full" }]);
    expect(Buffer.from(declaring!.losses[0]!.leafHash)).toEqual(hash);
    expect(after!.losses).toEqual([]);
    expect(recorder.runs()).toMatchObject({ declared: 1, undeclared: 0 });
  });

  it("are written again by the next one if they are lost, with one line a minute and a count", () => {
    const { kafka, recorder, lines } = startRun();
    publish(recorder, 1, 2);
    kafka.settle("expired", 1);
    kafka.runOutcome = "unauthorized";
    vi.advanceTimersByTime(3 * minuteMs);
    expect(recorder.problem?.()).toBe("runs_failed");
    expect(lines.map(({ details }) => details)).toEqual(
      [1, 2, 3].map(() => ({ kind: "run_record_dropped", service: "account-service", reason: "unauthorized" })),
    );
    kafka.settle("expired", 2);
    kafka.runOutcome = "delivered";
    vi.advanceTimersByTime(minuteMs);
    expect(kafka.last.losses.map(({ sequence }) => sequence)).toEqual([1n, 2n]);
    expect(recorder.problem?.()).toBeUndefined();
    expect(recorder.runs()).toEqual({
      open: 1,
      delivered: 2,
      dropped: { unauthorized: 3 },
      declared: 2,
      undeclared: 0,
      unnamed: 0,
    });
  });

  it("come one at a time, and the last one after the one that is on its way", async () => {
    const { kafka, recorder } = startRun();
    kafka.runOutcome = "waiting";
    vi.advanceTimersByTime(5 * minuteMs);
    expect(kafka.runRecords).toHaveLength(2);
    const closed = recorder.close();
    kafka.runOutcome = "delivered";
    kafka.settleRun("close_timeout");
    await closed;
    expect(kafka.runRecords.map(({ state }) => state)).toEqual(["STARTED", "RUNNING", "ENDED"]);
  });

  it("do not end the run as long as events wait in a spool", async () => {
    const kafka = Object.assign(new Kafka(), { spool: () => ({}) as never });
    const { recorder } = startRun(kafka);
    publish(recorder, 1, 1);
    await recorder.close();
    expect(kafka.last).toMatchObject({ state: "RUNNING", spooled: true, lastSequence: 1n, confirmedSequence: 0n });
  });

  it("are several if one would be too large, and confirm only what is declared by then", async () => {
    const { kafka, recorder } = startRun();
    publish(recorder, 1, 3_000);
    for (const { record, settled } of kafka.waiting.splice(0)) settled?.("queue_full", record);
    await recorder.close();
    const declaring = kafka.runRecords.slice(1);
    expect(declaring.length).toBeGreaterThan(2);
    expect(declaring.flatMap(({ losses }) => losses.map(({ sequence }) => Number(sequence)))).toEqual(
      Array.from({ length: 3_000 }, (_, index) => index + 1),
    );
    expect(declaring.map(({ state }) => state)).toEqual([...declaring.slice(1).map(() => "RUNNING"), "ENDED"]);
    expect(declaring.map(({ confirmedSequence }) => confirmedSequence)).toEqual([
      ...declaring.slice(1).map(() => 0n),
      3_000n,
    ]);
  });

  it("tell the number of losses that are too many for memory, and of those that Kafka finds too large", () => {
    const { kafka, recorder, lines } = startRun();
    kafka.runOutcome = "unauthorized";
    const record = recordOf(1);
    const count = 400_000;
    for (let number = 1; number <= count; number += 1) {
      recorder.publish({ ...record, sequence: BigInt(number), decode: () => create(SessionActivityEventSchema) });
      const [{ record: published, settled } = {}] = kafka.waiting.splice(0);
      settled?.("queue_full", published!);
    }
    const { undeclared, unnamed } = recorder.runs();
    expect(undeclared + unnamed).toBe(count);
    expect(undeclared).toBeGreaterThan(250_000);
    expect(lines.map(({ details }) => details)).toContainEqual({ kind: "losses_unnamed", unnamed: 1 });
    kafka.runOutcome = "too_large";
    vi.advanceTimersByTime(minuteMs);
    kafka.runOutcome = "delivered";
    vi.advanceTimersByTime(minuteMs);
    const after = recorder.runs();
    expect(after.unnamed).toBeGreaterThan(unnamed);
    expect(after.declared + after.unnamed).toBe(count);
    expect(kafka.last.undeclaredLosses).toBe(BigInt(after.unnamed));
  });
});

describe("a recorded publisher", () => {
  it("tells the outcome to whoever asks, and lets a publisher that throws throw", () => {
    const { kafka, recorder } = startRun();
    const outcomes: unknown[] = [];
    recorder.publish(recordOf(1), (outcome, { sequence }) => outcomes.push([outcome, sequence]));
    kafka.settle("fatal", 1);
    expect(outcomes).toEqual([["fatal", 1n]]);
    vi.spyOn(kafka, "publish").mockImplementation(() => {
      throw new Error("against the contract");
    });
    expect(() => recorder.publish(recordOf(2))).toThrow("against the contract");
    vi.advanceTimersByTime(minuteMs);
    expect(kafka.last.losses).toMatchObject([
      { sequence: 1n, reason: "fatal" },
      { sequence: 2n, reason: "publisher_error" },
    ]);
  });

  it("passes on what is not an event of its run", () => {
    const { kafka, recorder } = startRun();
    recorder.publish(createEventRecord(eventOf(9, "another-run")));
    for (const odd of [undefined, null, {}, "x"]) recorder.publish(odd as never);
    expect(kafka.waiting).toHaveLength(5);
    vi.advanceTimersByTime(minuteMs);
    expect(kafka.last.lastSequence).toBe(0n);
  });

  it("has what its publisher has, and no more", () => {
    const { recorder } = startRun();
    expect(recorder).not.toHaveProperty("begin");
    expect(recorder).not.toHaveProperty("spool");
    const begin = vi.fn();
    const kafka = Object.assign(new Kafka(), { begin, problem: () => "queue_full" as const });
    const other = startRun(kafka).recorder;
    void other.begin?.(recordOf(1));
    expect(begin).toHaveBeenCalledOnce();
    expect(other.problem?.()).toBe("queue_full");
  });
});
