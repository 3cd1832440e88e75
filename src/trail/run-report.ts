import type { NumberRange } from "./number-ranges.js";

/** Some numbers of a run. */
export interface Numbers {
  readonly count: number;
  /** They, in their order: at most the first 1,000 ranges. */
  readonly ranges: readonly NumberRange[];
}

/** Numbers that a run record declares lost. */
export interface LostNumbers extends Numbers {
  /** For example `queue_full`, see `LossReason`. `other` stands for all that come after 32 different ones. */
  readonly reason: string;
}

/**
 * How a run is.
 *
 * - `open`: its last record is less than 5 minutes old
 * - `silent`: it has had no record for 5 minutes, and has a spool: another process closes it when it adopts that
 * - `dead`: it has had no record for 5 minutes, and has no spool: nobody closes it, and its tail is unknown
 * - `ended`: it has ended by itself
 * - `recovered`: it has died, and another process has closed it
 * - `unrecorded`: there are events of it, and no run record
 */
export type RunCondition = "open" | "silent" | "dead" | "ended" | "recovered" | "unrecorded";

/**
 * Why it is unknown whether a run is complete.
 *
 * - `open`, `silent`, `dead`, `unrecorded`: see {@link RunCondition}
 * - `begin`: the range begins inside the run, and no record from before is known
 */
export type UnknownReason = Exclude<RunCondition, "ended" | "recovered"> | "begin";

/** The verdict on a run. */
export type RunVerdict =
  /** Each of its numbers is present. */
  | { readonly kind: "complete" }
  /** Some of its numbers are missing or declared lost. */
  | { readonly kind: "incomplete"; readonly missing: number; readonly lost: number }
  /** Nothing is known to be missing, but not all is known. */
  | { readonly kind: "unknown"; readonly reason: UnknownReason };

/** What is known of a run. */
export interface RunReport {
  readonly instanceId: string;
  readonly service: string;
  readonly condition: RunCondition;
  /** When the run started. Undefined without a run record. */
  readonly startedAt: Date | undefined;
  /** When its last record was written. Undefined without one. */
  readonly lastRecordAt: Date | undefined;
  /** The numbers that this report is about. Undefined if there are none. */
  readonly checked: NumberRange | undefined;
  /** How many of these came. */
  readonly present: number;
  /** Those that did not come and that a record declares lost. */
  readonly lost: readonly LostNumbers[];
  /** Those that did not come, though they were given and nothing is on its way any more. */
  readonly missing: Numbers;
  /** Those that may still come. */
  readonly unknown: Numbers;
  /** How many events came again. */
  readonly duplicates: number;
  /** How many losses its records count and do not name: so many of the missing ones are no secret. */
  readonly unnamedLosses: number;
  /** Calls that should have an event and have no number, by reason, since the start of the run: no verdict covers them. */
  readonly withoutEvent: Readonly<Record<string, number>>;
  readonly verdict: RunVerdict;
}

/** The verdict on all runs of the range. */
export type RangeVerdict =
  | { readonly kind: "complete" }
  | { readonly kind: "incomplete"; readonly missing: number; readonly lost: number }
  /** Nothing is known to be missing, but of so many runs not all is known. 0 if there is no run at all. */
  | { readonly kind: "unknown"; readonly runs: number };

/** What is known of all runs of the range. */
export interface RangeReport {
  readonly verdict: RangeVerdict;
  /** By the time of their start. */
  readonly runs: readonly RunReport[];
  /** Records that are not part of a run: they have no `instance_id`, or no number. */
  readonly unnumbered: number;
}
