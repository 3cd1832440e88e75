import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SessionActivityEvent } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import type { SessionActivityRun } from "../../gen/sessionactivity/v1/session_activity_run_pb.js";
import {
  createRunChecker,
  type NumberRange,
  type RangeReport,
  type RunCheckerOptions,
  type RunReport,
} from "../../src/trail/index.js";
import { refusalOf } from "../support/refusal.js";
import { eventOf, eventsOf, minuteMs, noonMs, runRecord } from "./run-fixtures.js";

type TrailRecord = SessionActivityEvent | SessionActivityRun;

const at = (minute: number): Date => new Date(noonMs + minute * minuteMs);

function check(records: readonly TrailRecord[], options: RunCheckerOptions = {}): RangeReport {
  const checker = createRunChecker({ now: at(60), ...options });
  for (const record of records) checker.add(record);
  return checker.report();
}

function onlyRun({ runs }: RangeReport): RunReport {
  expect(runs).toHaveLength(1);
  return runs[0]!;
}

describe("a run", () => {
  it("is complete if it is closed and each number came", () => {
    const report = check([runRecord("STARTED", 0, 0), ...eventsOf(1, 3), runRecord("ENDED", 2, 3)]);
    expect(report.verdict).toEqual({ kind: "complete" });
    expect(onlyRun(report)).toEqual({
      instanceId: "run-1",
      service: "account-service",
      condition: "ended",
      startedAt: at(0),
      lastRecordAt: at(2),
      checked: { first: 1, last: 3 },
      present: 3,
      lost: [],
      missing: { count: 0, ranges: [] },
      unknown: { count: 0, ranges: [] },
      duplicates: 0,
      unnamedLosses: 0,
      withoutEvent: {},
      verdict: { kind: "complete" },
    });
  });

  it("is complete if it was recovered, and if it never had an event", () => {
    const recovered = check([...eventsOf(1, 2), runRecord("RECOVERED", 9, 2)]);
    expect(onlyRun(recovered)).toMatchObject({ condition: "recovered", verdict: { kind: "complete" } });
    const empty = check([runRecord("STARTED", 0, 0), runRecord("ENDED", 2, 0)]);
    expect(onlyRun(empty)).toMatchObject({ checked: undefined, verdict: { kind: "complete" } });
    expect(empty.verdict).toEqual({ kind: "complete" });
  });

  it("is incomplete if a number is missing in the middle, at the begin or at the end", () => {
    for (const missing of [1, 3, 5]) {
      const events = eventsOf(1, 5).filter(({ sequence }) => sequence !== BigInt(missing));
      const report = check([...events, runRecord("ENDED", 2, 5)]);
      expect(onlyRun(report).missing).toEqual({ count: 1, ranges: [{ first: missing, last: missing }] });
      expect(report.verdict).toEqual({ kind: "incomplete", missing: 1, lost: 0 });
    }
  });

  it("says why numbers were lost, and counts those that came all the same as present", () => {
    const losses = [
      { sequence: 2n, reason: "queue_full" },
      { sequence: 3n, reason: "expired" },
      { sequence: 4n, reason: "queue_full" },
    ];
    const again = runRecord("ENDED", 3, 5, { losses: losses.slice(0, 1) });
    const report = check([...eventsOf(1, 1), eventOf(3), eventOf(5), runRecord("RUNNING", 2, 5, { losses }), again]);
    expect(onlyRun(report)).toMatchObject({
      present: 3,
      lost: [
        {
          reason: "queue_full",
          count: 2,
          ranges: [
            { first: 2, last: 2 },
            { first: 4, last: 4 },
          ],
        },
      ],
      missing: { count: 0 },
      verdict: { kind: "incomplete", missing: 0, lost: 2 },
    });
  });

  it("is unknown as long as it is open, but for what its records confirm", () => {
    const records = [runRecord("RUNNING", 58, 4, { confirmedSequence: 2n }), ...eventsOf(1, 2), eventOf(6)];
    const open = check(records);
    expect(onlyRun(open)).toMatchObject({
      condition: "open",
      checked: { first: 1, last: 6 },
      unknown: { count: 3, ranges: [{ first: 3, last: 5 }] },
      verdict: { kind: "unknown", reason: "open" },
    });
    expect(open.verdict).toEqual({ kind: "unknown", runs: 1 });
    const holed = check(records.filter((record) => !("sequence" in record) || record.sequence !== 2n));
    expect(onlyRun(holed)).toMatchObject({ missing: { count: 1 }, verdict: { kind: "incomplete", missing: 1 } });
  });

  it("is dead, its tail unknown, after 5 minutes without a record and without a spool", () => {
    const report = check([runRecord("RUNNING", 54, 2), ...eventsOf(1, 3)]);
    expect(onlyRun(report)).toMatchObject({ condition: "dead", verdict: { kind: "unknown", reason: "dead" } });
    const lossy = check([runRecord("RUNNING", 54, 4), ...eventsOf(1, 3)]);
    expect(onlyRun(lossy).verdict).toEqual({ kind: "incomplete", missing: 1, lost: 0 });
    const young = check([runRecord("RUNNING", 54, 3), ...eventsOf(1, 3)], { now: at(58.9) });
    expect(onlyRun(young).condition).toBe("open");
  });

  it("is silent if it has a spool: another process will close it", () => {
    const report = check([runRecord("RUNNING", 10, 4, { spooled: true }), ...eventsOf(1, 3)]);
    expect(onlyRun(report)).toMatchObject({
      condition: "silent",
      unknown: { count: 1 },
      verdict: { kind: "unknown", reason: "silent" },
    });
  });

  it("is unknown without any record", () => {
    expect(onlyRun(check(eventsOf(1, 3)))).toMatchObject({
      condition: "unrecorded",
      verdict: { kind: "unknown", reason: "unrecorded" },
    });
  });

  it("counts events that came again, and records without a number", () => {
    const stray = [eventOf(0), eventOf(1, ""), { ...eventOf(1), sequence: 2n ** 60n }];
    const report = check([...eventsOf(1, 3), ...eventsOf(2, 3), ...stray, runRecord("ENDED", 2, 3)]);
    expect(onlyRun(report)).toMatchObject({ duplicates: 2, present: 3, verdict: { kind: "complete" } });
    expect(report.unnumbered).toBe(3);
  });

  it("tells how many calls have no event and no number, by the newest counts, whatever the order", () => {
    const counts = (skipped: bigint) => ({ counts: { skipped: { context_empty: skipped }, bypassed: 2n } });
    const records = [runRecord("ENDED", 2, 0, counts(9n)), runRecord("RUNNING", 1, 0, counts(4n))];
    expect(onlyRun(check(records))).toMatchObject({
      withoutEvent: { context_empty: 9, bypassed: 2 },
      verdict: { kind: "complete" },
    });
  });

  it("keeps few reasons, whatever a stranger writes", () => {
    const losses = Array.from({ length: 100 }, (_, index) => ({ sequence: BigInt(index + 1), reason: `r${index}` }));
    const { lost, verdict } = onlyRun(check([runRecord("ENDED", 2, 100, { losses })]));
    expect(lost).toHaveLength(33);
    expect(lost.at(-1)).toEqual({ reason: "other", count: 68, ranges: [{ first: 33, last: 100 }] });
    expect(verdict).toEqual({ kind: "incomplete", missing: 0, lost: 100 });
  });

  it("tells how many losses its records do not name", () => {
    const report = check([...eventsOf(1, 3), runRecord("ENDED", 2, 5, { undeclaredLosses: 2n })]);
    expect(onlyRun(report)).toMatchObject({ unnamedLosses: 2, missing: { count: 2 } });
  });
});

describe("a time range", () => {
  const minutes = [0, 1, 2, 3, 4].map((minute) =>
    runRecord("RUNNING", minute, minute * 10, { confirmedSequence: BigInt(minute * 10) }),
  );

  it("is complete though its runs are open, if records from before and after it say what was given in it", () => {
    const report = check([...minutes, ...eventsOf(11, 30)], { from: at(1.5), to: at(2.5) });
    expect(onlyRun(report)).toMatchObject({ checked: { first: 11, last: 30 }, present: 20 });
    expect(report.verdict).toEqual({ kind: "complete" });
    const holed = check([...minutes, ...eventsOf(12, 30)], { from: at(1.5), to: at(2.5) });
    expect(holed.verdict).toEqual({ kind: "incomplete", missing: 1, lost: 0 });
  });

  it("does not claim to know its begin without a record from before", () => {
    const report = check([...minutes.slice(2), ...eventsOf(11, 30)], { from: at(1.5), to: at(2.5) });
    expect(onlyRun(report).verdict).toEqual({ kind: "unknown", reason: "begin" });
  });

  it("leaves out runs that ended before it or started after it", () => {
    const records = [...eventsOf(1, 2), runRecord("ENDED", 2, 3)];
    expect(check(records, { from: at(5) }).runs).toEqual([]);
    expect(check(records, { to: at(-1) }).runs).toEqual([]);
  });

  it("is unknown if there is nothing in it", () => {
    expect(check([])).toEqual({ verdict: { kind: "unknown", runs: 0 }, runs: [], unnumbered: 0 });
  });

  it("has the verdict of its worst run", () => {
    const good = [...eventsOf(1, 2, "good"), runRecord("ENDED", 1, 2, { instanceId: "good" })];
    const open = [runRecord("RUNNING", 59, 0, { instanceId: "open" })];
    const bad = [runRecord("ENDED", 1, 1, { instanceId: "bad" })];
    expect(check(good).verdict.kind).toBe("complete");
    expect(check([...good, ...open]).verdict).toEqual({ kind: "unknown", runs: 1 });
    expect(check([...good, ...open, ...bad]).verdict).toEqual({ kind: "incomplete", missing: 1, lost: 0 });
  });

  it.each([
    ["from", "yesterday"],
    ["to", new Date(Number.NaN)],
    ["now", 0],
  ])("refuses a wrong %s", (option, value) => {
    const refusal = refusalOf(() => createRunChecker({ [option]: value }));
    expect(refusal).toMatchObject({ option, code: "ERR_OPTION_INVALID" });
    expect(refusal.message).toContain(`${option} must be a Date that is valid`);
  });
});

describe("against a naive model", () => {
  const fates = fc.constantFrom("once", "twice", "declared", "declared and came", "vanished");
  const ends = fc.constantFrom("ended", "recovered", "dead", "silent", "open");
  const runs = fc.record({
    numbers: fc.array(fates, { maxLength: 12 }),
    end: ends,
    /** How many of the numbers the last record covers, and confirms: an interrupted run has some beyond. */
    covered: fc.nat(12),
    confirmed: fc.nat(12),
  });
  type Scenario = typeof runs extends fc.Arbitrary<infer T> ? T : never;

  function recordsOf({ numbers, end, covered, confirmed }: Scenario, instanceId: string): TrailRecord[] {
    const isClosed = end === "ended" || end === "recovered";
    const last = isClosed ? numbers.length : Math.min(covered, numbers.length);
    const events = numbers.flatMap((fate, index) => {
      const copies = fate === "twice" ? 2 : fate === "once" || fate === "declared and came" ? 1 : 0;
      return Array.from({ length: copies }, () => eventOf(index + 1, instanceId));
    });
    const losses = numbers.flatMap((fate, index) =>
      fate.startsWith("declared")
        ? [{ sequence: BigInt(index + 1), reason: index % 2 === 0 ? "expired" : "fatal" }]
        : [],
    );
    const state = end === "ended" ? "ENDED" : end === "recovered" ? "RECOVERED" : "RUNNING";
    const common = { instanceId, spooled: end === "silent" };
    return [
      ...events,
      runRecord("STARTED", 0, 0, common),
      runRecord("RUNNING", 1, Math.min(1, last), { ...common, losses: losses.slice(0, 2) }),
      runRecord(state, end === "open" ? 59 : 2, last, {
        ...common,
        losses: losses.slice(1),
        confirmedSequence: BigInt(isClosed ? last : Math.min(confirmed, last)),
      }),
    ];
  }

  /** What must be said of each number, from what happened to it. */
  function expectedOf({ numbers, end, covered, confirmed }: Scenario): string[] {
    const isDecided = end === "ended" || end === "recovered" || end === "dead";
    const came = numbers.map((fate) => fate !== "vanished" && fate !== "declared");
    const isClosed = end === "ended" || end === "recovered";
    const given = isClosed ? numbers.length : Math.min(covered, numbers.length);
    const known = Math.max(given, came.lastIndexOf(true) + 1);
    return numbers.slice(0, known).map((fate, index) => {
      if (came[index]) return "present";
      if (fate === "declared") return index % 2 === 0 ? "lost: expired" : "lost: fatal";
      return isDecided || index + 1 <= Math.min(confirmed, given) ? "missing" : "unknown";
    });
  }

  function foundIn({ checked, lost, missing, unknown }: RunReport): string[] {
    const isIn = (ranges: readonly NumberRange[], number: number): boolean =>
      ranges.some(({ first, last }) => first <= number && number <= last);
    return Array.from({ length: checked?.last ?? 0 }, (_, index) => {
      const found = [
        ...lost.filter(({ ranges }) => isIn(ranges, index + 1)).map(({ reason }) => `lost: ${reason}`),
        ...(isIn(missing.ranges, index + 1) ? ["missing"] : []),
        ...(isIn(unknown.ranges, index + 1) ? ["unknown"] : []),
      ];
      return found.length === 0 ? "present" : found.join(" and ");
    });
  }

  it("says the same of each number of several runs, in any order", () => {
    fc.assert(
      fc.property(
        fc.array(runs, { minLength: 1, maxLength: 4 }).chain((scenarios) => {
          const records = scenarios.flatMap((scenario, index) => recordsOf(scenario, `run-${index}`));
          const order = fc.shuffledSubarray(records, { minLength: records.length, maxLength: records.length });
          return fc.tuple(fc.constant(scenarios), order);
        }),
        ([scenarios, records]) => {
          const report = check(records);
          const kinds = scenarios.map((scenario, index) => {
            const run = report.runs.find(({ instanceId }) => instanceId === `run-${index}`)!;
            const expected = expectedOf(scenario);
            expect(foundIn(run)).toEqual(expected);
            expect(run.present).toBe(expected.filter((one) => one === "present").length);
            expect(run.duplicates).toBe(scenario.numbers.filter((fate) => fate === "twice").length);
            const isHoled = expected.some((one) => one === "missing" || one.startsWith("lost"));
            const isClosed = scenario.end === "ended" || scenario.end === "recovered";
            const kind = isHoled ? "incomplete" : isClosed ? "complete" : "unknown";
            expect(run.verdict.kind).toBe(kind);
            return kind;
          });
          const worst = ["incomplete", "unknown", "complete"].find((kind) => kinds.some((one) => one === kind));
          expect(report.verdict.kind).toBe(worst);
        },
      ),
      { numRuns: 500 },
    );
  });
});
