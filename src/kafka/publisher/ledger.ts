import { swallow, type TroubleLog } from "../../base/log.js";
import type { EventRecord } from "../../publishing/event-record.js";
import type { DropReason, PublisherStats, Settled } from "../../publishing/publisher.js";
import type { KafkaTrouble } from "../client/kafka-troubles.js";
import type { LostRecords } from "../client/producer-link.js";
import { advice } from "./drop-reason.js";

/** Who asked what becomes of a record. */
export interface Asker {
  readonly record: EventRecord;
  readonly settled: Settled;
}

/**
 * Counts what becomes of events. Each method moves one event or more from one count to another at one stroke, so that
 * `offered` is at any moment the sum of delivered, all dropped, and queued.
 */
export interface Ledger {
  readonly queued: number;
  readonly queuedBytes: number;
  /** An event came and waits for delivery. */
  accept(bytes: number): void;
  /** An event came and is dropped at once. */
  refuse(reason: DropReason, asker: Asker | undefined): void;
  /** A waiting event arrived. */
  deliver(bytes: number, asker: Asker | undefined): void;
  /** A waiting event is given up. */
  drop(reason: DropReason, bytes: number, asker: Asker | undefined, details?: object): void;
  /** Several waiting events are given up together. */
  dropAll(reason: DropReason, lost: LostRecords<Asker>): void;
  stats(): PublisherStats;
}

/** Creates a ledger that reports drops, once a minute for each reason. `common` stands in every report. */
export function createLedger(common: object, log: TroubleLog<KafkaTrouble>): Ledger {
  let offered = 0;
  let delivered = 0;
  let queued = 0;
  let queuedBytes = 0;
  const dropped: Partial<Record<DropReason, number>> = {};

  function count(reason: DropReason, events: number, details: object | undefined): void {
    const total = (dropped[reason] ?? 0) + events;
    dropped[reason] = total;
    log.warn(`drop_${reason}`, { ...common, reason, total, ...details }, `Events dropped: ${advice[reason]}`);
  }

  const warnOfCallback = (): void => log.warn("callback_failed", {}, "A callback given to publish() threw");

  // Whoever is told may throw, and that would end the process, since the client's thread reports.
  function tell(asker: Asker | undefined, outcome: "delivered" | DropReason): void {
    if (asker !== undefined && !swallow(() => asker.settled(outcome, asker.record), warnOfCallback)) warnOfCallback();
  }

  return {
    get queued() {
      return queued;
    },
    get queuedBytes() {
      return queuedBytes;
    },
    accept(bytes) {
      offered += 1;
      queued += 1;
      queuedBytes += bytes;
    },
    refuse(reason, asker) {
      offered += 1;
      count(reason, 1, undefined);
      tell(asker, reason);
    },
    deliver(bytes, asker) {
      queued -= 1;
      queuedBytes -= bytes;
      delivered += 1;
      tell(asker, "delivered");
    },
    drop(reason, bytes, asker, details) {
      queued -= 1;
      queuedBytes -= bytes;
      count(reason, 1, details);
      tell(asker, reason);
    },
    dropAll(reason, lost) {
      if (lost.count === 0) return;
      queued -= lost.count;
      queuedBytes -= lost.bytes;
      count(reason, lost.count, undefined);
      for (const asker of lost.notes) tell(asker, reason);
    },
    stats: () => ({ offered, delivered, dropped: { ...dropped }, queued }),
  };
}
