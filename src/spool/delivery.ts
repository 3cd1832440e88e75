import { createEventRecord, type EventRecord } from "../publishing/event-record.js";
import type { DropReason, Publisher } from "../publishing/publisher.js";
import type { AsideReason } from "../publishing/spool-stats.js";
import { asideKey, endOf, finishedKey, finishedPrefix } from "./spool-keys.js";
import type { SpoolEntry, SpoolOperation, SpoolStore } from "./spool-store.js";
import type { WriteQueue } from "./write-queue.js";

/** What became of stored events. */
export interface DeliveryObserver {
  /** Kafka has it. */
  delivered(record: EventRecord): void;
  /** It will never be delivered as it is. `record` is undefined if it is damaged. */
  setAside(reason: AsideReason, record: EventRecord | undefined): void;
  /** Reading the store failed. It is tried again. */
  readFailed(error: unknown): void;
}

/** How much of a store is in memory. */
export interface DeliverySizes {
  /** So many events are handed to the publisher at a time. The rest waits in the store. */
  readonly window: number;
  /** So many are read at once, when there is room for them. */
  readonly read: number;
}

const usualSizes: DeliverySizes = { window: 2_000, read: 500 };
const firstPauseMs = 100;
const longestPauseMs = 30_000;

/** What no waiting heals. All else does: brokers come back, rights are given, topics are made. */
const finalReasons: readonly DropReason[] = ["too_large", "invalid_record", "invalid_event"];

/**
 * Hands the stored events to a publisher, in the order of their numbers, and removes each when it was delivered. Whatever else
 * becomes of an event, it stays in the store and goes again, for as long as it takes.
 */
export class Delivery {
  readonly #store: SpoolStore;
  readonly #queue: WriteQueue;
  readonly #publisher: Publisher;
  readonly #observer: DeliveryObserver;
  readonly #sizes: DeliverySizes;
  /** Handed to the publisher, or delivered and about to be removed. Both are still in the store. */
  readonly #busy: Set<string> = new Set();
  /** Removed since the store was last asked: what it answers with may still have them. */
  readonly #removed: Set<string> = new Set();
  #inFlight = 0;
  /** Whether there may be events in the store that are not in flight. */
  #isBehind = false;
  /** Counts what may have made it so, as long as the store is being read. */
  #additions = 0;
  /** The last one that was read. */
  #cursor = finishedPrefix;
  #isReading = false;
  #failures = 0;
  #pause: NodeJS.Timeout | undefined;
  #isStopped = false;
  #idle: (() => void)[] = [];

  constructor(
    store: SpoolStore,
    queue: WriteQueue,
    publisher: Publisher,
    observer: DeliveryObserver,
    sizes: DeliverySizes = usualSizes,
  ) {
    this.#sizes = sizes;
    this.#store = store;
    this.#queue = queue;
    this.#publisher = publisher;
    this.#observer = observer;
  }

  /** Delivers an event that the store has just taken. */
  add(record: EventRecord): void {
    const key = finishedKey(record);
    if (!this.#isBehind && this.#inFlight < this.#sizes.window) {
      this.#send(key, record);
      return;
    }
    // Several runs may share a store, and their keys come as they sort.
    if (key <= this.#cursor) this.#cursor = finishedPrefix;
    this.wake();
  }

  /** Delivers what is in the store. */
  wake(): void {
    this.#isBehind = true;
    this.#additions += 1;
    void this.#readOn();
  }

  /** Hands over nothing more. What is in flight may still be delivered. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#pause);
    this.#tellIfIdle();
  }

  /** Resolves when all that is in the store was delivered and removed, or when this is stopped. */
  async idle(): Promise<void> {
    if (!this.#isIdle()) await new Promise<void>((resolve) => void this.#idle.push(resolve));
  }

  #send(key: string, record: EventRecord): void {
    this.#busy.add(key);
    this.#inFlight += 1;
    try {
      this.#publisher.publish(record, this.#settled);
    } catch {
      // Against its contract.
      this.#settled("error", record);
    }
  }

  readonly #settled = (outcome: "delivered" | DropReason, record: EventRecord): void => {
    const key = finishedKey(record);
    this.#inFlight -= 1;
    if (outcome === "delivered") {
      this.#failures = 0;
      this.#remove(key);
      this.#observer.delivered(record);
    } else if (isFinal(outcome)) {
      this.#remove(key, { type: "put", key: asideKey(outcome, key), value: record.bytes });
      this.#observer.setAside(outcome, record);
    } else {
      this.#busy.delete(key);
      this.#tryLater();
    }
    void this.#readOn();
  };

  #remove(key: string, kept?: SpoolOperation): void {
    this.#busy.add(key);
    const removal: SpoolOperation = { type: "del", key };
    this.#queue.write(kept === undefined ? [removal] : [removal, kept], (isWritten) => {
      // If it is still there, it goes again when the store is next read from the start.
      this.#busy.delete(key);
      if (isWritten && this.#isReading) this.#removed.add(key);
      this.#tellIfIdle();
    });
  }

  /** From the start, since any event may be the one that was not taken. */
  #tryLater(): void {
    this.#isBehind = true;
    if (this.#pause !== undefined || this.#isStopped) return;
    const ms = Math.min(firstPauseMs * 2 ** this.#failures, longestPauseMs);
    this.#failures += 1;
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#cursor = finishedPrefix;
      this.wake();
    }, ms).unref();
  }

  /** Reads and hands over, as far as the window allows. Never rejects. */
  async #readOn(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    while (this.#mayRead()) {
      const additions = this.#additions;
      this.#removed.clear();
      const entries = await this.#read();
      for (const entry of entries) this.#handOver(entry);
      const isLast = entries.length < this.#sizes.read && additions === this.#additions;
      if (isLast && this.#pause === undefined) this.#isBehind = false;
    }
    this.#isReading = false;
    this.#tellIfIdle();
  }

  #mayRead(): boolean {
    const hasRoom = this.#inFlight <= this.#sizes.window - this.#sizes.read;
    return this.#isBehind && hasRoom && this.#pause === undefined && !this.#isStopped;
  }

  async #read(): Promise<SpoolEntry[]> {
    try {
      return await this.#store.read({ after: this.#cursor, before: endOf(finishedPrefix), limit: this.#sizes.read });
    } catch (error) {
      this.#observer.readFailed(error);
      this.#tryLater();
      return [];
    }
  }

  #handOver({ key, value, sealed }: SpoolEntry): void {
    this.#cursor = key;
    if (this.#busy.has(key) || this.#removed.has(key) || this.#isStopped) return;
    const record = value && decoded(value);
    if (record === undefined) {
      this.#remove(key, { type: "keep", key: asideKey("damaged", key), sealed });
      this.#observer.setAside("damaged", undefined);
    } else {
      this.#send(key, record);
    }
  }

  #isIdle(): boolean {
    return this.#isStopped || (!this.#isBehind && this.#busy.size === 0);
  }

  #tellIfIdle(): void {
    if (this.#isIdle()) for (const resolve of this.#idle.splice(0)) resolve();
  }
}

function isFinal(reason: DropReason): reason is DropReason & AsideReason {
  return finalReasons.includes(reason);
}

function decoded(bytes: Uint8Array): EventRecord | undefined {
  try {
    return createEventRecord(bytes);
  } catch {
    return undefined;
  }
}
