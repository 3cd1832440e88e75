import { printable } from "../base/text.js";
import type { Numbers, RangeReport, RunReport, UnknownReason } from "../trail/run-report.js";

const reasons: Readonly<Record<UnknownReason, string>> = {
  open: "it is open",
  silent: "it has had no record for 5 minutes; whoever adopts its spool closes it",
  dead: "dead, tail unknown",
  unrecorded: "it has no run record",
  begin: "its first record is later than the range begins; begin earlier with --since",
};
/** So many ranges of numbers stand in a line. */
const maxShown = 10;

/** The report as lines of text: one for each run, and the verdict on the range. */
export function linesOfReport({ verdict, runs, unnumbered }: RangeReport, unreadable: number): string[] {
  const events = runs.reduce((sum, { present }) => sum + present, 0);
  return [
    ...runs.map(lineOfRun),
    ...(unnumbered > 0 ? [`Records without a run or a number: ${unnumbered}`] : []),
    ...(unreadable > 0 ? [`Records that cannot be read: ${unreadable}`] : []),
    `${titleOf(verdict)} (runs: ${runs.length}, events: ${events})`,
  ];
}

function titleOf(verdict: RangeReport["verdict"]): string {
  if (verdict.kind === "complete") return "Complete";
  if (verdict.kind === "incomplete") return `Incomplete: ${verdict.missing} missing, ${verdict.lost} declared lost`;
  return verdict.runs === 0
    ? "Unknown: there is no run in the range. Give a longer one with --since, or check --runs-topic"
    : `Unknown: ${verdict.runs} of the runs cannot be judged. If they are open, end the range before now: --until 10m`;
}

function lineOfRun(run: RunReport): string {
  const { checked, present, lost, missing, unknown, duplicates, unnamedLosses, withoutEvent } = run;
  const parts = [
    checked === undefined ? "no events" : `${present} of ${checked.first}-${checked.last}`,
    ...lost.map((numbers) => `lost (${numbers.reason}): ${textOf(numbers)}`),
    ...(missing.count > 0 ? [`missing: ${textOf(missing)}`] : []),
    ...(unknown.count > 0 ? [`unknown: ${textOf(unknown)}`] : []),
    ...(unnamedLosses > 0 ? [`losses that no record names: ${unnamedLosses}`] : []),
    ...(duplicates > 0 ? [`came again: ${duplicates}`] : []),
    ...Object.entries(withoutEvent).map(([reason, count]) => `calls without an event (${reason}): ${count}`),
  ];
  return printable(`${run.instanceId} ${run.service} ${run.condition}: ${kindOf(run)}; ${parts.join("; ")}`);
}

function kindOf({ verdict }: RunReport): string {
  return verdict.kind === "unknown" ? `unknown, ${reasons[verdict.reason]}` : verdict.kind;
}

function textOf({ count, ranges }: Numbers): string {
  const shown = ranges
    .slice(0, maxShown)
    .map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`));
  return `${count} (${shown.join(", ")}${ranges.length > maxShown ? ", …" : ""})`;
}
