import { sumOf } from "../base/counts.js";
import { errorMessage } from "../base/errors.js";
import { createTroubleLog, type TroubleLog } from "../base/log.js";
import { resolvesWithin } from "../base/timing.js";
import { type EventRecord, isEventRecord } from "../publishing/event-record.js";
import type { DropReason, Publisher, PublisherProblem, PublisherStats, Settled } from "../publishing/publisher.js";
import type { RunRecord, RunRecordSettled } from "../publishing/run-record.js";
import type { AsideReason, SpoolStats, UnrecordableReason } from "../publishing/spool-stats.js";
import { type Adoption, type AdoptionObserver, startAdoption } from "./adoption.js";
import { Delivery } from "./delivery.js";
import { DiskLane } from "./disk-lane.js";
import { noteLast } from "./interrupted.js";
import { OldestEntry } from "./oldest-entry.js";
import { OwnStore } from "./own-store.js";
import { finishedKey, runKey, startedKey } from "./spool-keys.js";
import { type DurablePublisherOptions, type DurableSettings, durableSettings } from "./spool-options.js";
import type { SpoolOperation, SpoolStore } from "./spool-store.js";
import type { SpoolTrouble } from "./spool-troubles.js";
import { WriteQueue } from "./write-queue.js";

/** A publisher whose events survive its process. */
export interface DurablePublisher extends Publisher {
  begin(start: EventRecord): Promise<void | "refuse">;
  flush(timeoutMs: number): Promise<void>;
  problem(): PublisherProblem | undefined;
  /** What is queued lies in the spool, too, and is not lost if the process ends. */
  stats(): PublisherStats;
  /** How the spool is. */
  spool(): SpoolStats;
}

/** The store of this process. */
type Store = SpoolStore & Pick<OwnStore, "pausing" | "end">;

/** So many bytes may wait for a disk that hangs. */
const maxWaitingBytes = 32 * 1024 * 1024;
/** So many changes that the disk did not take are kept for it. */
const maxOwed = 100_000;
/** An event with a session context of some size. */
const typicalBytes = 512;
/** How long the end may wait for the disk. */
const closeTimeoutMs = 5_000;

/**
 * Creates a publisher that stores events on a disk until Kafka has them, so that neither an outage of Kafka nor the death of
 * the process loses them.
 *
 * - When a call begins, its event is stored before the handler runs. If the process dies inside the handler, a later process
 *   publishes it with `interrupted` and an empty status.
 * - At the end of the call, the finished event takes its place in one atomic write. Only then does the other publisher get it,
 *   and only the delivery report removes it. What that publisher drops for a passing reason goes again, however long it takes.
 * - Spools of processes that have died are adopted at the start and every minute.
 *
 * Nobody waits for it at the start. Close it before the process ends: what is not delivered by then stays for the next process.
 *
 * Throws an `OptionError` for wrong options.
 *
 * @example
 * const publisher = createDurablePublisher({ directory: "/var/lib/app/spool", publisher: createKafkaPublisher({ brokers }) });
 */
export function createDurablePublisher(options: DurablePublisherOptions): DurablePublisher {
  const settings = durableSettings(options);
  const lane = new DiskLane();
  const store = new OwnStore(settings, lane);
  const log = createTroubleLog<SpoolTrouble>(settings.log);
  return new SpoolingPublisher(settings, store, log, (observer) =>
    startAdoption({ settings, lane, isOwn: (folder) => store.owns(folder), observer, log }),
  );
}

/** What is said above, on any store. */
export class SpoolingPublisher implements DurablePublisher {
  readonly #settings: DurableSettings;
  readonly #log: TroubleLog<SpoolTrouble>;
  readonly #store: Store;
  readonly #queue: WriteQueue;
  readonly #delivery: Delivery;
  readonly #adoption: Adoption;
  /** The ids of events whose start is in the store, or on its way there. */
  readonly #started: Set<string> = new Set();
  /** Whom to tell, by run. */
  readonly #settled: Map<string, Settled | undefined> = new Map();
  /** What the store must still be told, after it failed. */
  readonly #owed: SpoolOperation[] = [];
  #offered = 0;
  #delivered = 0;
  readonly #dropped: Partial<Record<DropReason, number>> = {};
  #stored = 0;
  #storedBytes = 0;
  readonly #oldest: OldestEntry = new OldestEntry();
  readonly #unrecorded: Partial<Record<UnrecordableReason, number>> = {};
  #refused = 0;
  #recovered = 0;
  #interrupted = 0;
  readonly #setAside: Partial<Record<AsideReason, number>> = {};
  #damaged = 0;
  #closedRuns = 0;
  /** Absent if the publisher below does not take run records. */
  readonly publishRun?: NonNullable<Publisher["publishRun"]>;
  #closing: Promise<PublisherStats> | undefined;

  constructor(
    settings: DurableSettings,
    store: Store,
    log: TroubleLog<SpoolTrouble>,
    adopt: (observer: AdoptionObserver) => Adoption,
  ) {
    this.#settings = settings;
    this.#store = store;
    this.#log = log;
    this.#queue = new WriteQueue(store, (error) => this.#failed(error));
    this.#delivery = new Delivery(store, this.#queue, settings.publisher, {
      delivered: (record) => this.#wasDelivered(record),
      setAside: (reason, record) => this.#wasSetAside(reason, record),
      readFailed: (error) => this.#failed(error),
    });
    this.#adoption = adopt({
      delivered: () => {
        this.#recovered += 1;
      },
      setAside: (reason) => this.#countAside(reason),
      interrupted: (count) => {
        this.#interrupted += count;
      },
      damaged: () => {
        this.#damaged += 1;
      },
      closedRuns: (count) => {
        this.#closedRuns += count;
      },
    });
    if (settings.publisher.publishRun !== undefined)
      this.publishRun = (record, settled) => this.#publishRun(record, settled);
  }

  async begin(start: EventRecord): Promise<void | "refuse"> {
    const problem = this.#problemOf(start.bytes.length);
    if (problem !== undefined) return this.#unrecordable(problem);
    this.#started.add(start.eventId);
    const outcome = await this.#noteStart(start);
    if (outcome === "written") return undefined;
    // A write that is only slow may succeed yet. The end of the call removes it, and a refused call has none.
    if (outcome === "error") this.#started.delete(start.eventId);
    else if (this.#settings.onUnrecordable === "refuse" && this.#started.delete(start.eventId))
      this.#queue.write([{ type: "del", key: startedKey(start) }]);
    return this.#unrecordable(outcome);
  }

  publish(record: EventRecord, settled?: Settled): void {
    this.#offered += 1;
    if (!isEventRecord(record)) {
      this.#settings.publisher.publish(record, (outcome) =>
        this.#drop(outcome === "delivered" ? "error" : outcome, record),
      );
      return;
    }
    this.#settled.set(record.instanceId, settled);
    if (this.#closing !== undefined) {
      this.#drop("closed", record);
      return;
    }
    const wasStarted = this.#started.delete(record.eventId);
    const removal: SpoolOperation[] = wasStarted ? [{ type: "del", key: startedKey(record) }] : [];
    // The number is in use from now on, whether or not the event is stored.
    const bookkeeping = [...removal, noteLast(record.instanceId, record.sequence)];
    // What has begun here may end here, even if the spool is full by now.
    const problem = this.#problemOf(wasStarted ? 0 : record.bytes.length);
    if (problem === undefined) this.#finish(record, bookkeeping);
    else this.#publishUnstored(record, bookkeeping, problem);
  }

  async flush(timeoutMs: number): Promise<void> {
    const startedAt = performance.now();
    if (!(await resolvesWithin(timeoutMs, this.#queue.idle()))) return;
    const restMs = (): number => Math.max(0, timeoutMs - (performance.now() - startedAt));
    await this.#settings.publisher.flush?.(restMs());
    await resolvesWithin(restMs(), this.#delivery.idle());
  }

  problem(): PublisherProblem | undefined {
    const problem = this.#problemOf(typicalBytes);
    if (problem === "full") return "spool_full";
    if (problem === "error" || problem === "slow") return "spool_failed";
    const below = this.#settings.publisher.problem?.();
    // A queue that is full is what the spool is for.
    return below === "queue_full" ? undefined : below;
  }

  stats(): PublisherStats {
    const dropped = sumOf(this.#dropped);
    const queued = this.#offered - this.#delivered - dropped;
    return { offered: this.#offered, delivered: this.#delivered, dropped: { ...this.#dropped }, queued };
  }

  spool(): SpoolStats {
    return {
      stored: this.#stored,
      storedBytes: this.#storedBytes,
      oldestStoredMs: this.#oldest.ageMs(),
      writeDelayMs: Math.round(this.#queue.delayMs),
      unrecorded: { ...this.#unrecorded },
      refused: this.#refused,
      recovered: this.#recovered,
      interrupted: this.#interrupted,
      setAside: { ...this.#setAside },
      damaged: this.#damaged,
      closedRuns: this.#closedRuns,
    };
  }

  close(lastly?: () => Promise<void>): Promise<PublisherStats> {
    this.#closing ??= this.#close(lastly);
    return this.#closing;
  }

  async #close(lastly: (() => Promise<void>) | undefined): Promise<PublisherStats> {
    await resolvesWithin(closeTimeoutMs, this.#queue.idle());
    await this.#settings.publisher.close(lastly);
    this.#delivery.stop();
    const ended = this.#adoption.stop().then(() => this.#queue.idle());
    await resolvesWithin(
      closeTimeoutMs,
      ended.then(() => this.#store.end()),
    );
    return this.stats();
  }

  /** The last record stays here until Kafka has one that closes the run, so that another process can do that. */
  #publishRun(record: RunRecord, settled: RunRecordSettled): void {
    const key = runKey(record.instanceId);
    if (!this.#store.pausing) this.#queue.write([{ type: "put", key, value: record.bytes }]);
    this.#settings.publisher.publishRun?.(record, (outcome) => {
      if (record.isLast && outcome === "delivered") this.#queue.write([{ type: "del", key }]);
      settled(outcome);
    });
  }

  #noteStart(start: EventRecord): Promise<"written" | "error" | "slow"> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve("slow"), this.#settings.writeTimeoutMs);
      this.#write([{ type: "put", key: startedKey(start), value: start.bytes }], (isWritten) => {
        clearTimeout(timer);
        resolve(isWritten ? "written" : "error");
      });
    });
  }

  #finish(record: EventRecord, bookkeeping: readonly SpoolOperation[]): void {
    const put: SpoolOperation = { type: "put", key: finishedKey(record), value: record.bytes };
    this.#stored += 1;
    this.#storedBytes += record.bytes.length;
    this.#oldest.add(record);
    this.#write([put, ...bookkeeping], (isWritten) => {
      if (isWritten) {
        this.#delivery.add(record);
      } else {
        this.#unstore(record);
        this.#publishUnstored(record, bookkeeping, "error");
      }
    });
  }

  /** Without the spool, an event lives as long as the process does. */
  #publishUnstored(record: EventRecord, bookkeeping: readonly SpoolOperation[], reason: UnrecordableReason): void {
    this.#count(reason);
    if (this.#owed.length < maxOwed) this.#owed.push(...bookkeeping);
    this.#settings.publisher.publish(record, (outcome) =>
      outcome === "delivered" ? this.#deliver(record) : this.#drop(outcome, record),
    );
  }

  #write(operations: readonly SpoolOperation[], written: (isWritten: boolean) => void): void {
    const owed = this.#owed.splice(0);
    if (owed.length === 0) {
      this.#queue.write(operations, written);
      return;
    }
    this.#queue.write([...owed, ...operations], (isWritten) => {
      if (!isWritten && this.#owed.length < maxOwed) this.#owed.unshift(...owed);
      written(isWritten);
    });
  }

  /** Why so many bytes cannot be stored now. */
  #problemOf(bytes: number): UnrecordableReason | undefined {
    const { writeTimeoutMs, maxBytes } = this.#settings;
    if (this.#closing !== undefined) return "closed";
    if (this.#store.pausing) return "error";
    if (this.#queue.delayMs > writeTimeoutMs || this.#queue.bytes > maxWaitingBytes) return "slow";
    return bytes > 0 && this.#storedBytes + bytes > maxBytes ? "full" : undefined;
  }

  #unrecordable(reason: UnrecordableReason): "refuse" | undefined {
    const isRefused = this.#settings.onUnrecordable === "refuse";
    if (isRefused) this.#refused += 1;
    this.#count(reason);
    return isRefused ? "refuse" : undefined;
  }

  #count(reason: UnrecordableReason): void {
    this.#unrecorded[reason] = (this.#unrecorded[reason] ?? 0) + 1;
    if (reason === "full")
      this.#log.error(
        "spool_full",
        { storedBytes: this.#storedBytes },
        "the spool is full: check Kafka, or raise maxBytes",
      );
    if (reason === "slow")
      this.#log.error("spool_slow", { writeDelayMs: this.#queue.delayMs }, "the spool's disk does not answer in time");
  }

  #failed(error: unknown): void {
    const { directory } = this.#settings;
    const advice = "the spool fails: check its folder, its rights, and the space on its disk";
    this.#log.error("spool_failed", { directory, reason: errorMessage(error) }, advice);
  }

  #wasDelivered(record: EventRecord): void {
    this.#unstore(record);
    this.#deliver(record);
  }

  #wasSetAside(reason: AsideReason, record: EventRecord | undefined): void {
    this.#countAside(reason);
    if (record === undefined) {
      this.#dropped.error = (this.#dropped.error ?? 0) + 1;
    } else {
      this.#unstore(record);
      this.#drop(reason === "damaged" ? "error" : reason, record);
    }
  }

  #countAside(reason: AsideReason): void {
    this.#setAside[reason] = (this.#setAside[reason] ?? 0) + 1;
    this.#log.error("spool_set_aside", { reason }, "an event can never be delivered as it is: it is kept in the spool");
  }

  #unstore(record: EventRecord): void {
    this.#stored -= 1;
    this.#storedBytes -= record.bytes.length;
    this.#oldest.remove(record);
  }

  #deliver(record: EventRecord): void {
    this.#delivered += 1;
    this.#tell("delivered", record);
  }

  #drop(reason: DropReason, record: EventRecord): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + 1;
    this.#tell(reason, record);
  }

  #tell(outcome: "delivered" | DropReason, record: EventRecord): void {
    this.#settled.get(record.instanceId)?.(outcome, record);
  }
}
