import { describeFailure } from "../../base/errors.js";
import { type FailureClass, failureOf } from "../../base/failure.js";
import type { TroubleLog } from "../../base/log.js";
import { pause } from "../../base/timing.js";
import type { NativeMessage, NativeOffset } from "../client/kafka-client.js";
import type { KafkaTrouble } from "../client/kafka-troubles.js";
import { readMessage, type SessionActivityItem, type SessionActivityRecord } from "./consumed-record.js";
import type { ConsumerSettings } from "./consumer-options.js";
import type { InvalidReason } from "./consumer-stats.js";
import type { Pacer } from "./pacer.js";

/** What the workers of a consumer share. */
export interface PartitionContext {
  readonly settings: Pick<ConsumerSettings, "topic" | "handle" | "batchSize" | "retry">;
  readonly pacer: Pacer;
  readonly log: TroubleLog<KafkaTrouble>;
  /** Rejects if the record could not be set aside. */
  setAside(record: SessionActivityRecord, reason: InvalidReason): Promise<void>;
  /** Lets the group know how far the partition is handled. Must not throw. */
  store(next: NativeOffset): void;
  /** Fetches no more of a partition, or goes on. Must not throw. */
  setPaused(partition: number, paused: boolean): void;
  handled(count: number): void;
  retried(): void;
  /** A record could be set aside in no form. */
  lost(): void;
}

/** What a worker calls and may have to call again: the user's handler, or what sets a record aside. */
export type Step = "handler" | "set_aside";

/** How the log calls what goes wrong with a step. */
const wordings = {
  handler: { failed: "handler_failed", blocked: "handler_blocked", stuck: "handler_stuck", what: "The handler" },
  set_aside: {
    failed: "set_aside_failed",
    blocked: "set_aside_blocked",
    stuck: "set_aside_stuck",
    what: "Setting a record aside",
  },
} as const;

/** How it ended: it worked; the worker was stopped; this input will never work; it has failed as often as it may. */
type Outcome = "done" | "stopped" | "poison" | "exhausted";

/** One thing to be done, however often it takes. */
interface Task {
  readonly step: Step;
  /** Where it begins. */
  readonly at: { readonly record: SessionActivityRecord; readonly event?: SessionActivityItem["event"] };
  /** How often it may fail with what may pass. */
  readonly attempts: number;
  call(): unknown;
}

/** Handles the records of one partition, one after another. */
export class PartitionWorker {
  readonly #partition: number;
  readonly #context: PartitionContext;
  readonly #stopping: AbortController = new AbortController();
  readonly #queue: NativeMessage[] = [];
  /** How far the partition is handled, if the group does not know yet. */
  #unstored: NativeOffset | undefined;
  #running: Promise<void> | undefined;
  /** What the last attempt failed with, if it did. */
  #failure: { readonly step: Step; readonly failure: FailureClass } | undefined;
  /** What is called and has not settled. */
  #open: { readonly task: Task; readonly sinceMs: number } | undefined;
  /** Since when the first record has been in hand. */
  #inHandSinceMs: number | undefined;
  #held = false;
  #paused = false;

  constructor(partition: number, context: PartitionContext) {
    this.#partition = partition;
    this.#context = context;
  }

  /** Records that it holds. */
  get queued(): number {
    return this.#queue.length;
  }

  /** The offset of the first record that it holds. Undefined if it holds none. */
  get firstOffset(): number | undefined {
    return this.#queue[0]?.offset;
  }

  /** Whether its last attempt failed. */
  get retrying(): boolean {
    return this.#failure !== undefined;
  }

  /** What fails until somebody acts. */
  get blocked(): Step | undefined {
    return this.#failure?.failure === "permanent" ? this.#failure.step : undefined;
  }

  /** How long its first record has been in hand. */
  get inHandMs(): number {
    return this.#inHandSinceMs === undefined ? 0 : performance.now() - this.#inHandSinceMs;
  }

  /** Whether nothing more of the partition is fetched for now. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Resolves when it holds nothing, or is stopped and its handler has returned. */
  get idle(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }

  /** Takes records, in the order of their offsets. */
  take(messages: readonly NativeMessage[]): void {
    if (this.#isStopped()) return;
    for (const message of messages) if (!this.#holds(message.offset)) this.#queue.push(message);
    // With nothing to do it would end before it is noted that it runs.
    if (this.#queue.length > 0) this.#running ??= this.#run();
  }

  /**
   * Whether this came before and is not handled yet, as may be when fetching goes on after a pause. An offset below all that
   * it holds is new: a topic that was deleted and made again begins at 0.
   */
  #holds(offset: number): boolean {
    const first = this.#queue[0]?.offset;
    const last = this.#queue.at(-1)?.offset;
    return first !== undefined && last !== undefined && offset >= first && offset <= last;
  }

  /** Takes no more until what it holds is handled. */
  hold(): void {
    this.#held = true;
    this.#pauseOrGoOn();
  }

  /** Reports what was called and has not settled for that long. */
  reportStuck(stuckAfterMs: number): void {
    if (this.#open === undefined) return;
    const { task, sinceMs } = this.#open;
    const forMs = Math.round(performance.now() - sinceMs);
    if (forMs < stuckAfterMs) return;
    const { stuck, what } = wordings[task.step];
    this.#context.log.warn(stuck, { ...this.#placeOf(task.at), forMs }, `${what} has not settled: its partition waits`);
  }

  /** Finishes what the handler is at, and drops the rest; resolves when that is done. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#queue.length = 0;
  }

  async #run(): Promise<void> {
    this.#inHandSinceMs = performance.now();
    while (this.#queue.length > 0 && !this.#isStopped()) {
      if (!(await this.#next())) break;
      if (this.#context.pacer.due()) await this.#takeTurn();
    }
    this.#store();
    this.#inHandSinceMs = undefined;
    this.#held = false;
    this.#pauseOrGoOn();
    this.#running = undefined;
  }

  async #takeTurn(): Promise<void> {
    this.#store();
    await this.#context.pacer.turn();
  }

  /** Deals with what comes first. Answers false if it was stopped before that was done. */
  #next(): Promise<boolean> {
    const items: SessionActivityItem[] = [];
    for (const message of this.#queue.slice(0, this.#context.settings.batchSize)) {
      const read = readMessage(message);
      if ("event" in read) items.push(read);
      else if (items.length === 0) return this.#setAside(read.record, read.reason);
      else break;
    }
    return this.#handle(items);
  }

  async #handle(items: readonly SessionActivityItem[]): Promise<boolean> {
    const [first] = items;
    if (first === undefined) return true;
    const { attempts } = this.#context.settings.retry;
    const outcome = await this.#persist({ step: "handler", at: first, attempts, call: () => this.#call(items) });
    if (outcome === "stopped") return false;
    if (outcome === "done") {
      this.#context.handled(items.length);
      this.#done(items.length);
      return true;
    }
    if (items.length > 1) return this.#handleHalves(items);
    return this.#setAside(first.record, outcome === "poison" ? "poison" : "handler_failed");
  }

  #call(items: readonly SessionActivityItem[]): unknown {
    const result = this.#context.settings.handle(items);
    // While a handler takes its time, the group must know of everything before it.
    if (result !== undefined) this.#store();
    return result;
  }

  /** A batch fails for what is in one of its halves, or in both. */
  async #handleHalves(items: readonly SessionActivityItem[]): Promise<boolean> {
    const middle = Math.ceil(items.length / 2);
    for (const half of [items.slice(0, middle), items.slice(middle)]) {
      if (this.#context.pacer.due()) await this.#takeTurn();
      if (this.#isStopped() || !(await this.#handle(half))) return false;
    }
    return true;
  }

  async #setAside(record: SessionActivityRecord, reason: InvalidReason): Promise<boolean> {
    this.#store();
    const outcome = await this.#persist({
      step: "set_aside",
      at: { record },
      // Going on would lose it.
      attempts: Number.POSITIVE_INFINITY,
      call: () => this.#context.setAside(record, reason),
    });
    if (outcome === "stopped") return false;
    if (outcome === "poison") this.#lose(record, reason);
    this.#done(1);
    return true;
  }

  #lose(record: SessionActivityRecord, reason: InvalidReason): void {
    this.#context.lost();
    const details = { ...this.#placeOf({ record }), reason };
    this.#context.log.error("record_lost", details, "A record can be set aside in no form: it is passed over");
  }

  /** Calls until it works, or until its failures say otherwise. */
  async #persist(task: Task): Promise<Outcome> {
    for (let failures = 1, passing = 0; ; failures += 1) {
      try {
        await this.#attempt(task);
        return "done";
      } catch (error) {
        const failure = failureOf(error) ?? "passing";
        this.#report(task, failure, { attempt: failures, ...describeFailure(error) });
        if (failure === "poison") return "poison";
        if (failure === "passing") passing += 1;
        if (passing >= task.attempts) return "exhausted";
        this.#failure = { step: task.step, failure };
        if (!(await this.#backOff(failures))) return "stopped";
      }
    }
  }

  async #attempt(task: Task): Promise<void> {
    this.#open = { task, sinceMs: performance.now() };
    try {
      await task.call();
    } finally {
      this.#open = undefined;
    }
  }

  /** Waits before the next attempt. Answers false if it is stopped meanwhile. */
  async #backOff(failures: number): Promise<boolean> {
    const { backoffMs, maxBackoffMs } = this.#context.settings.retry;
    if (this.#isStopped()) return false;
    this.#context.retried();
    this.#pauseOrGoOn();
    this.#store();
    return pause(Math.min(maxBackoffMs, backoffMs * 2 ** (failures - 1)), this.#stopping.signal);
  }

  #done(count: number): void {
    const last = this.#queue.splice(0, count).at(-1);
    if (last !== undefined) {
      const { topic, partition, offset, leaderEpoch } = last;
      this.#unstored = { topic, partition, offset: offset + 1, leaderEpoch };
    }
    this.#inHandSinceMs = performance.now();
    this.#failure = undefined;
    this.#pauseOrGoOn();
  }

  #store(): void {
    if (this.#unstored === undefined) return;
    this.#context.store(this.#unstored);
    this.#unstored = undefined;
  }

  #pauseOrGoOn(): void {
    const paused = this.retrying || this.#held;
    if (paused === this.#paused || this.#isStopped()) return;
    this.#paused = paused;
    this.#context.setPaused(this.#partition, paused);
  }

  #report({ step, at }: Task, failure: FailureClass, details: object): void {
    const { log } = this.#context;
    const { failed, blocked, what } = wordings[step];
    const all = { ...this.#placeOf(at), failure, ...details };
    if (failure === "permanent") log.error(blocked, all, `${what} fails until somebody acts: its partition waits`);
    else log.warn(failed, all, `${what} failed`);
  }

  #placeOf({ record, event }: Task["at"]): object {
    const { partition, offset } = record;
    return { topic: this.#context.settings.topic, partition, offset, eventId: event?.eventId };
  }

  #isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }
}
