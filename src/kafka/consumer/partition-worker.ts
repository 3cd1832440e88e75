import { describeFailure } from "../../base/errors.js";
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
  #retrying = false;
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

  /** Whether its last attempt failed. */
  get retrying(): boolean {
    return this.#retrying;
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

  /** Finishes what the handler is at, and drops the rest; resolves when that is done. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#queue.length = 0;
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0 && !this.#isStopped()) {
      if (!(await this.#next())) break;
      if (!this.#context.pacer.due()) continue;
      this.#store();
      await this.#context.pacer.turn();
    }
    this.#store();
    this.#held = false;
    this.#pauseOrGoOn();
    this.#running = undefined;
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
    const { attempts } = this.#context.settings.retry;
    for (let failures = 0; failures < attempts; ) {
      try {
        await this.#call(items);
        this.#context.handled(items.length);
        this.#done(items.length);
        return true;
      } catch (error) {
        failures += 1;
        this.#report(
          items[0],
          "handler_failed",
          { attempt: failures, ...describeFailure(error) },
          "The handler failed",
        );
        if (failures < attempts && !(await this.#backOff(failures))) return false;
      }
    }
    return items.length === 1 ? this.#giveUp(items[0]) : this.#handleOneByOne(items);
  }

  #call(items: readonly SessionActivityItem[]): unknown {
    const result = this.#context.settings.handle(items);
    // While a handler takes its time, the group must know of everything before it.
    if (result !== undefined) this.#store();
    return result;
  }

  async #handleOneByOne(items: readonly SessionActivityItem[]): Promise<boolean> {
    for (const item of items) {
      if (this.#isStopped() || !(await this.#handle([item]))) return false;
    }
    return true;
  }

  async #giveUp(item: SessionActivityItem | undefined): Promise<boolean> {
    return item === undefined || this.#setAside(item.record, "handler_failed");
  }

  async #setAside(record: SessionActivityRecord, reason: InvalidReason): Promise<boolean> {
    this.#store();
    for (let failures = 1; ; failures += 1) {
      try {
        await this.#context.setAside(record, reason);
        this.#done(1);
        return true;
      } catch (error) {
        const details = { reason, attempt: failures, ...describeFailure(error) };
        this.#report({ record }, "set_aside_failed", details, "A record could not be set aside");
        if (!(await this.#backOff(failures))) return false;
      }
    }
  }

  /** Waits before the next attempt. Answers false if it is stopped meanwhile. */
  async #backOff(failures: number): Promise<boolean> {
    const { backoffMs, maxBackoffMs } = this.#context.settings.retry;
    if (this.#isStopped()) return false;
    this.#context.retried();
    this.#retrying = true;
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
    this.#retrying = false;
    this.#pauseOrGoOn();
  }

  #store(): void {
    if (this.#unstored === undefined) return;
    this.#context.store(this.#unstored);
    this.#unstored = undefined;
  }

  #pauseOrGoOn(): void {
    const paused = this.#retrying || this.#held;
    if (paused === this.#paused || this.#isStopped()) return;
    this.#paused = paused;
    this.#context.setPaused(this.#partition, paused);
  }

  #report(item: Partial<SessionActivityItem> | undefined, kind: KafkaTrouble, details: object, message: string): void {
    const { partition, offset } = item?.record ?? {};
    const eventId = item?.event?.eventId;
    this.#context.log.warn(
      kind,
      { topic: this.#context.settings.topic, partition, offset, eventId, ...details },
      message,
    );
  }

  #isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }
}
