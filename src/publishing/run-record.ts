import type { DropReason } from "./publisher.js";

/**
 * The `state` of a run record.
 *
 * - `STARTED`, `RUNNING`: what the run says when it starts, and every minute
 * - `ENDED`: it has ended by itself
 * - `RECOVERED`: it has died, and another process has closed it
 */
export type RunState = "STARTED" | "RUNNING" | "ENDED" | "RECOVERED";

/** A record of a run in its binary form. It never changes. */
export interface RunRecord {
  /** The run, and the key of the Kafka record. */
  readonly instanceId: string;
  /** The encoded `SessionActivityRun`. */
  readonly bytes: Uint8Array;
  /** Whether it closes the run: nobody else needs to do that when it was delivered. */
  readonly isLast: boolean;
}

/** Told what became of a run record. It must not throw. */
export type RunRecordSettled = (outcome: "delivered" | DropReason) => void;

/** What became of run records since the start. */
export interface RunStats {
  /** Runs that are open: Kafka does not have their last record yet. */
  readonly open: number;
  /** Run records that Kafka has. */
  readonly delivered: number;
  /** Run records that were not delivered, by reason. The next record says all that they said. */
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>;
  /** Lost events whose loss is declared by a record that Kafka has. */
  readonly declared: number;
  /** Lost events whose loss is not declared yet. */
  readonly undeclared: number;
  /** Lost events that no record names, since there were more than memory may hold. Records tell their number. */
  readonly unnamed: number;
}
