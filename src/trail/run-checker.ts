import {
  type SessionActivityEvent,
  SessionActivityEventSchema,
} from "../../gen/sessionactivity/v1/session_activity_pb.js";
import type { SessionActivityRun } from "../../gen/sessionactivity/v1/session_activity_run_pb.js";
import { type Option, type OptionsOf, readOptions } from "../base/options.js";
import { type CheckedTime, ObservedRun } from "./observed-run.js";
import type { RangeReport, RangeVerdict, RunReport } from "./run-report.js";

/** Options of `createRunChecker`. */
export interface RunCheckerOptions {
  /**
   * Events from before are not checked. Give records from some minutes earlier, too: the last one before this moment says which
   * events those are.
   *
   * @default the beginning
   */
  from?: Date | undefined;
  /**
   * Events from after are not checked. Give records from a minute later, too, and all events up to now: an event may come long
   * after its call.
   *
   * @default the end
   */
  to?: Date | undefined;
  /** The moment at which runs are without a record, or not. @default when the report is made */
  now?: Date | undefined;
}

/** Finds out whether all events of some runs are there. */
export interface RunChecker {
  /** Takes an event or a run record, in any order. */
  add(record: SessionActivityEvent | SessionActivityRun): void;
  /** What is known by now. */
  report(): RangeReport;
}

/**
 * Creates a checker: it takes the events and the run records of a time range, from topics or from files, and says of each run
 * which numbers are present, declared lost, missing, or unknown because the run is open.
 *
 * Its memory depends on what is missing, and not on what is there: a run without holes takes a line. Throws an `OptionError` for
 * a wrong option.
 *
 * @example
 * const checker = createRunChecker({ to: new Date(Date.now() - 600_000) });
 * for await (const record of records) checker.add(record);
 * const { verdict, runs } = checker.report();
 */
export function createRunChecker(options: RunCheckerOptions = {}): RunChecker {
  const { from, to, now } = readOptions("createRunChecker", checkerTable, options);
  const time: CheckedTime = {
    fromMs: from?.getTime() ?? Number.NEGATIVE_INFINITY,
    toMs: to?.getTime() ?? Number.POSITIVE_INFINITY,
    get nowMs() {
      return now?.getTime() ?? Date.now();
    },
  };
  const runs = new Map<string, ObservedRun>();
  let unnumbered = 0;

  function runOf(instanceId: string): ObservedRun {
    let run = runs.get(instanceId);
    if (run === undefined) {
      run = new ObservedRun(instanceId, time);
      runs.set(instanceId, run);
    }
    return run;
  }

  return {
    add(record) {
      const { instanceId } = record;
      if (instanceId === "") unnumbered += 1;
      else if (!isEvent(record)) runOf(instanceId).addRecord(record);
      else if (isNumber(record.sequence)) runOf(instanceId).addEvent(Number(record.sequence), record.service);
      else unnumbered += 1;
    },
    report() {
      const reports = [...runs.values()].flatMap((run) => run.report() ?? []);
      reports.sort((one, other) => startOf(one) - startOf(other));
      return { verdict: verdictOf(reports), runs: reports, unnumbered };
    },
  };
}

const dateOption: Omit<Option<Date | undefined>, "meaning"> = {
  expects: "a Date that is valid",
  defaultText: "none",
  read: (value) => (value instanceof Date && !Number.isNaN(value.getTime()) ? value : undefined),
};

const checkerTable: OptionsOf<Pick<Required<RunCheckerOptions>, "from" | "to" | "now">> = {
  from: { ...dateOption, meaning: "Events from before are not checked" },
  to: { ...dateOption, meaning: "Events from after are not checked" },
  now: { ...dateOption, meaning: "The moment at which runs are without a record, or not" },
};

function isEvent(record: SessionActivityEvent | SessionActivityRun): record is SessionActivityEvent {
  return record.$typeName === SessionActivityEventSchema.typeName;
}

function isNumber(sequence: bigint): boolean {
  return sequence > 0n && sequence <= BigInt(Number.MAX_SAFE_INTEGER);
}

function startOf({ startedAt }: RunReport): number {
  return startedAt?.getTime() ?? 0;
}

function verdictOf(reports: readonly RunReport[]): RangeVerdict {
  let missing = 0;
  let lost = 0;
  let unknown = 0;
  for (const { verdict } of reports) {
    if (verdict.kind === "unknown") unknown += 1;
    if (verdict.kind !== "incomplete") continue;
    missing += verdict.missing;
    lost += verdict.lost;
  }
  if (missing + lost > 0) return { kind: "incomplete", missing, lost };
  if (unknown > 0 || reports.length === 0) return { kind: "unknown", runs: unknown };
  return { kind: "complete" };
}
