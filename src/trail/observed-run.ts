import { timestampMs } from "@bufbuild/protobuf/wkt";
import type {
  SessionActivityRun,
  SessionActivityRun_Counts,
} from "../../gen/sessionactivity/v1/session_activity_run_pb.js";
import { sumOf } from "../base/counts.js";
import { countOf, intersect, type NumberRange, subtract } from "./number-ranges.js";
import { NumberSet } from "./number-set.js";
import type { LostNumbers, Numbers, RunCondition, RunReport, RunVerdict, UnknownReason } from "./run-report.js";

/** When is it checked, and what of it? Moments are milliseconds since 1970. */
export interface CheckedTime {
  /** What was given before is not checked. */
  readonly fromMs: number;
  /** What was given after is not checked. */
  readonly toMs: number;
  readonly nowMs: number;
}

/** After so long without a record, a run does not run any more. */
const silenceMs = 5 * 60_000;
const maxRanges = 1_000;
/** Of a record that a stranger may have written. There are fewer reasons. */
const maxReasons = 32;
/** The reason of losses whose own is one too many. */
const otherReasons = "other";

/** The numbers that are checked. */
interface Window {
  readonly first: number;
  readonly last: number;
  /** Whether numbers above were given after the range, or never. */
  readonly isClosed: boolean;
  /** Whether numbers below were given before the range. */
  readonly isBegun: boolean;
}

/** All that is known of one run. */
export class ObservedRun {
  readonly #instanceId: string;
  readonly #time: CheckedTime;
  readonly #present: NumberSet = new NumberSet();
  readonly #lost: Map<string, NumberSet> = new Map();
  #service = "";
  #highest = 0;
  #duplicates = 0;
  #unnamed = 0;
  #withoutEvent: Readonly<Record<string, number>> = {};
  #startedAtMs: number | undefined;
  #lastRecordAtMs: number | undefined;
  #isSpooled = false;
  #closedAs: "ended" | "recovered" | undefined;
  /** The highest `last_sequence` and `confirmed_sequence` of all records. */
  #given = 0;
  #confirmed = 0;
  /** The highest `last_sequence` of records up to the begin of the range, and the lowest of those after it. */
  #givenBefore: number | undefined;
  #givenAfterBegin: number | undefined;
  /** The lowest `last_sequence` of records from the end of the range on. */
  #givenAtEnd: number | undefined;

  constructor(instanceId: string, time: CheckedTime) {
    this.#instanceId = instanceId;
    this.#time = time;
  }

  addEvent(sequence: number, service: string): void {
    this.#service ||= service;
    if (!this.#present.add(sequence)) this.#duplicates += 1;
    this.#highest = Math.max(this.#highest, sequence);
  }

  addRecord(record: SessionActivityRun): void {
    const { service, startedAt, at, state, spooled, losses } = record;
    this.#service = service;
    if (startedAt !== undefined) this.#startedAtMs = timestampMs(startedAt);
    if (state === "ENDED") this.#closedAs ??= "ended";
    if (state === "RECOVERED") this.#closedAs = "recovered";
    this.#isSpooled ||= spooled;
    this.#unnamed = Math.max(this.#unnamed, Number(record.undeclaredLosses));
    this.#confirmed = Math.max(this.#confirmed, Number(record.confirmedSequence));
    this.#noteWithoutEvent(record.counts);
    this.#noteGiven(Number(record.lastSequence), at === undefined ? 0 : timestampMs(at));
    for (const { sequence, reason } of losses) this.#addLoss(Number(sequence), reason);
  }

  /** Undefined if the run has no part in the range. */
  report(): RunReport | undefined {
    const { fromMs, toMs } = this.#time;
    const window = this.#window();
    const { first, last, isClosed } = window;
    const isOutside =
      (this.#startedAtMs ?? 0) > toMs || (first > last && isClosed && (this.#lastRecordAtMs ?? 0) < fromMs);
    if (isOutside) return undefined;
    const checked: NumberRange[] = last < first ? [] : [{ first, last }];
    const present = intersect(checked, this.#present.ranges());
    const { lost, rest } = this.#lostIn(subtract(checked, present));
    const condition = this.#condition();
    const decided = this.#decidedTo(condition);
    const missing = intersect(rest, [{ first: 1, last: decided }]);
    const unknown = subtract(rest, missing);
    return {
      instanceId: this.#instanceId,
      service: this.#service,
      condition,
      startedAt: dateOf(this.#startedAtMs),
      lastRecordAt: dateOf(this.#lastRecordAtMs),
      checked: checked[0],
      present: countOf(present),
      lost,
      missing: numbersOf(missing),
      unknown: numbersOf(unknown),
      duplicates: this.#duplicates,
      unnamedLosses: this.#unnamed,
      withoutEvent: this.#withoutEvent,
      verdict: verdictOf({ lost, missing, unknown, condition, window }),
    };
  }

  #noteGiven(given: number, atMs: number): void {
    const { fromMs, toMs } = this.#time;
    this.#given = Math.max(this.#given, given);
    this.#lastRecordAtMs = Math.max(this.#lastRecordAtMs ?? atMs, atMs);
    if (atMs <= fromMs) this.#givenBefore = Math.max(this.#givenBefore ?? given, given);
    else this.#givenAfterBegin = Math.min(this.#givenAfterBegin ?? given, given);
    if (atMs >= toMs) this.#givenAtEnd = Math.min(this.#givenAtEnd ?? given, given);
  }

  /** Counts only grow, and records come in any order. */
  #noteWithoutEvent(counts: SessionActivityRun_Counts | undefined): void {
    if (counts === undefined) return;
    const found = withoutEventOf(counts);
    if (sumOf(found) > sumOf(this.#withoutEvent)) this.#withoutEvent = found;
  }

  #addLoss(sequence: number, said: string): void {
    const reason = this.#lost.has(said) || this.#lost.size < maxReasons ? said : otherReasons;
    let lost = this.#lost.get(reason);
    if (lost === undefined) {
      lost = new NumberSet();
      this.#lost.set(reason, lost);
    }
    lost.add(sequence);
  }

  #window(): Window {
    const isBegun = this.#givenBefore !== undefined || (this.#startedAtMs ?? 0) >= this.#time.fromMs;
    const before = this.#givenBefore ?? (isBegun ? 0 : (this.#givenAfterBegin ?? 0));
    const last = this.#givenAtEnd ?? Math.max(this.#given, this.#highest);
    return {
      first: before + 1,
      last,
      isBegun,
      isClosed: this.#givenAtEnd !== undefined || this.#closedAs !== undefined,
    };
  }

  /** Takes away what is declared lost, each number once. */
  #lostIn(absent: NumberRange[]): { readonly lost: LostNumbers[]; readonly rest: NumberRange[] } {
    const lost: LostNumbers[] = [];
    let rest = absent;
    for (const [reason, numbers] of this.#lost) {
      const found = intersect(rest, numbers.ranges());
      if (found.length === 0) continue;
      lost.push({ reason, ...numbersOf(found) });
      rest = subtract(rest, found);
    }
    return { lost, rest };
  }

  #condition(): RunCondition {
    if (this.#closedAs !== undefined) return this.#closedAs;
    if (this.#lastRecordAtMs === undefined) return "unrecorded";
    if (this.#time.nowMs - this.#lastRecordAtMs < silenceMs) return "open";
    return this.#isSpooled ? "silent" : "dead";
  }

  /** What has not come up to here will never come. */
  #decidedTo(condition: RunCondition): number {
    if (condition === "ended" || condition === "recovered" || condition === "dead") return Number.MAX_SAFE_INTEGER;
    return this.#confirmed;
  }
}

function withoutEventOf({ skipped, bypassed, leftEarly }: SessionActivityRun_Counts): Record<string, number> {
  const all = [
    ...Object.entries(skipped).slice(0, maxReasons),
    ["bypassed", bypassed],
    ["left_early", leftEarly],
  ] as const;
  return Object.fromEntries(all.filter(([, count]) => count > 0n).map(([reason, count]) => [reason, Number(count)]));
}

interface Findings {
  readonly lost: readonly LostNumbers[];
  readonly missing: readonly NumberRange[];
  readonly unknown: readonly NumberRange[];
  readonly condition: RunCondition;
  readonly window: Window;
}

function verdictOf({ lost, missing, unknown, condition, window }: Findings): RunVerdict {
  const lostCount = lost.reduce((sum, { count }) => sum + count, 0);
  if (lostCount > 0 || missing.length > 0) return { kind: "incomplete", missing: countOf(missing), lost: lostCount };
  if (!window.isBegun && condition !== "unrecorded") return { kind: "unknown", reason: "begin" };
  if (window.isClosed && unknown.length === 0) return { kind: "complete" };
  return { kind: "unknown", reason: openReason(condition) };
}

/** A run that is closed has nothing unknown. */
function openReason(condition: RunCondition): UnknownReason {
  return condition === "ended" || condition === "recovered" ? "open" : condition;
}

function numbersOf(ranges: readonly NumberRange[]): Numbers {
  return { count: countOf(ranges), ranges: ranges.slice(0, maxRanges) };
}

function dateOf(ms: number | undefined): Date | undefined {
  return ms === undefined ? undefined : new Date(ms);
}
