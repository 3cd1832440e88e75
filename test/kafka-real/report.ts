import { isSound, type Trial } from "./trial.js";

/** A line for one trial, and what was wrong with it. */
export function printTrial(title: string, trial: Trial): void {
  console.log(`${title}\t${describe(trial)}`);
  for (const [error, count] of tally([...trial.during.errors, ...trial.control.errors]))
    console.log(`\tFAILED CALLS, ${count}: ${error}`);
  // What was refused or given up, but not each connection that was refused: those are what the faults are made of.
  for (const line of trial.lines) if (/dropped|Kafka producer/.test(line)) console.log(`\t${line}`);
  if (!isSound(trial)) console.log(`\tNOT SOUND: ${JSON.stringify([trial.evidence, trial.verdict])}`);
}

/** The head of the table that sums trials up. */
export function printHead(): void {
  const columns = [
    "fault",
    "rounds",
    "captured",
    "delivered",
    "dropped, by reason",
    "of these arrived",
    "duplicates",
    "deleted with the topic",
    "lost uncounted",
    "recovery ms, median / max",
    "of which Kafka's own",
    "longest pause ms",
    "calls failed",
    "p99 ms quiet / during / untracked during",
  ];
  console.log(`\n| ${columns.join(" | ")} |\n| ${columns.map(() => "---").join(" | ")} |`);
}

function describe(trial: Trial): string {
  const { verdict, stats, lost, recoveryMs, kafkaMs, backlogMs, stallMs, quiet, during, control, memory } = trial;
  const megabytes = (bytes: number): string => (bytes / 1_048_576).toFixed(0);
  return [
    `captured ${verdict.captured}`,
    `delivered ${stats.delivered}`,
    `dropped ${JSON.stringify(stats.dropped)}`,
    `arrived though dropped ${verdict.arrivedButDropped}`,
    `duplicates ${verdict.duplicates}`,
    `deleted ${verdict.deleted}`,
    `lost ${lost}`,
    `recovery ${recoveryMs.toFixed(0)} (Kafka's own ${kafkaMs.toFixed(0)}, backlog ${backlogMs.toFixed(0)})`,
    `pause ${stallMs.toFixed(0)}`,
    `failed calls ${during.failed} + ${control.failed}`,
    `p99 ${quiet.p99.toFixed(1)} / ${during.p99.toFixed(1)} / ${control.p99.toFixed(1)}`,
    `MiB ${[memory.before, memory.bound, memory.fault, memory.peak, memory.after].map(megabytes).join(" / ")}`,
  ].join(", ");
}

/** A row of the table that sums trials up. */
export function printRow(name: string, trials: readonly Trial[]): void {
  if (trials.length === 0) return;
  const total = (of: (trial: Trial) => number): number => trials.reduce((all, trial) => all + of(trial), 0);
  const sorted = (of: (trial: Trial) => number): number[] => trials.map(of).sort((a, b) => a - b);
  const median = (of: (trial: Trial) => number): number => sorted(of)[Math.floor(trials.length / 2)] ?? 0;
  const most = (of: (trial: Trial) => number): number => sorted(of).at(-1) ?? 0;
  const spread = (of: (trial: Trial) => number): string => `${median(of).toFixed(0)} / ${most(of).toFixed(0)}`;
  const cells = [
    name,
    trials.length,
    total(({ verdict }) => verdict.captured),
    total(({ stats }) => stats.delivered),
    reasons(trials),
    total(({ verdict }) => verdict.arrivedButDropped),
    total(({ verdict }) => verdict.duplicates),
    total(({ verdict }) => verdict.deleted),
    total(({ lost }) => lost),
    spread(({ recoveryMs }) => recoveryMs),
    spread(({ kafkaMs }) => kafkaMs),
    most(({ stallMs }) => stallMs).toFixed(0),
    total(({ during, control }) => during.failed + control.failed),
    [median(({ quiet }) => quiet.p99), median(({ during }) => during.p99), median(({ control }) => control.p99)]
      .map((ms) => ms.toFixed(1))
      .join(" / "),
  ];
  console.log(`| ${cells.join(" | ")} |`);
}

function reasons(trials: readonly Trial[]): string {
  const totals = new Map<string, number>();
  for (const { stats } of trials)
    for (const [reason, count] of Object.entries(stats.dropped)) totals.set(reason, (totals.get(reason) ?? 0) + count);
  return [...totals].map(([reason, count]) => `${reason} ${count}`).join(", ") || "0";
}

function tally(errors: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const error of errors) counts.set(error, (counts.get(error) ?? 0) + 1);
  return counts;
}
