import { swallow, type TroubleLog } from "../../base/log.js";
import type { DropReason, PublisherStats } from "../../publishing/publisher.js";
import type { KafkaTrouble } from "../client/kafka-troubles.js";
import type { LostRecords } from "../client/producer-link.js";
import { advice } from "./drop-reason.js";

/** Told once what became of an event. */
export type Settled = (outcome: "delivered" | DropReason) => void;

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
  refuse(reason: DropReason, settled: Settled | undefined): void;
  /** A waiting event arrived. */
  deliver(bytes: number, settled: Settled | undefined): void;
  /** A waiting event is given up. */
  drop(reason: DropReason, bytes: number, settled: Settled | undefined, details?: object): void;
  /** Several waiting events are given up together. */
  dropAll(reason: DropReason, lost: LostRecords<Settled>): void;
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
  function tell(settled: Settled | undefined, outcome: "delivered" | DropReason): void {
    if (settled !== undefined && !swallow(() => settled(outcome), warnOfCallback)) warnOfCallback();
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
    refuse(reason, settled) {
      offered += 1;
      count(reason, 1, undefined);
      tell(settled, reason);
    },
    deliver(bytes, settled) {
      queued -= 1;
      queuedBytes -= bytes;
      delivered += 1;
      if (settled !== undefined) tell(settled, "delivered");
    },
    drop(reason, bytes, settled, details) {
      queued -= 1;
      queuedBytes -= bytes;
      count(reason, 1, details);
      tell(settled, reason);
    },
    dropAll(reason, lost) {
      if (lost.count === 0) return;
      queued -= lost.count;
      queuedBytes -= lost.bytes;
      count(reason, lost.count, undefined);
      for (const settled of lost.notes) tell(settled, reason);
    },
    stats: () => ({ offered, delivered, dropped: { ...dropped }, queued }),
  };
}
