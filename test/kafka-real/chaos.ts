// Breaks a cluster of three at random, round after round, and prints what became of the events:
// `npm run chaos -- --rounds 100 --seed 7`. Ends with a table, and with an error where anything was lost uncounted.
import { parseArgs } from "node:util";
import { startCluster } from "./cluster.js";
import { type FaultName, faults } from "./faults.js";
import { runTrial, sum, type Trial } from "./trial.js";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "10" },
    seed: { type: "string", default: `${Date.now() % 1_000_000}` },
    rate: { type: "string", default: "400" },
  },
});
const random = randomOf(Number(values.seed));
const names = Object.keys(faults) as FaultName[];
/** A rolling restart takes three times as long as the others, so it comes less often. */
const urn: readonly FaultName[] = [...names, ...names.filter((name) => name !== "rolling restart")];
type Row = { readonly round: number; readonly names: readonly FaultName[]; readonly trial: Trial };
const rows: Row[] = [];
let broken = 0;

console.log(`seed ${values.seed}`);
let cluster = await startCluster(3);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
for (let round = 1; round <= Number(values.rounds); round += 1) {
  const chosen = Array.from({ length: random() < 0.8 ? 1 : 2 }, () => urn[Math.floor(random() * urn.length)]!);
  const planned = chosen.map((name) => ({ fault: faults[name], holdMs: Math.round(500 + random() * 2_500) }));
  const asksOutcomes = round % 2 === 0;
  try {
    const options = { faults: planned, callsPerSecond: Number(values.rate), quietMs: 1_000, asksOutcomes };
    const trial = await runTrial(cluster, options);
    rows.push({ round, names: chosen, trial });
    console.log(`${round}\t${chosen.join(" + ")}\t${describe(trial)}`);
    if (!isSound(trial)) console.log(JSON.stringify(trial));
  } catch (error) {
    broken += 1;
    console.log(
      `${round}\t${chosen.join(" + ")}\tROUND FAILED: ${error instanceof Error ? error.message : String(error)}`,
    );
    await cluster.close();
    cluster = await startCluster(3);
  }
}
await cluster.close();

console.log(
  "\n| fault | rounds | captured | delivered | dropped | duplicates | lost uncounted | recovery ms, median / max | longest pause ms | calls failed | p99 ms quiet / during / untracked during |",
);
console.log("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
for (const name of names)
  table(
    name,
    rows.filter((row) => row.names.length === 1 && row.names[0] === name),
  );
table(
  "two in a row",
  rows.filter((row) => row.names.length > 1),
);
table("**all**", rows);
console.log(`${rows.length} rounds, ${broken} that the harness could not finish`);
process.exit(rows.every(({ trial }) => isSound(trial)) && broken === 0 ? 0 : 1);

function isSound({ lost, verdict, during, stats, evidence }: Trial): boolean {
  const { strange, holes } = verdict;
  return lost === 0 && strange === 0 && during.failed === 0 && holes <= sum(stats.dropped) && evidence.length > 0;
}

function describe({ verdict, stats, lost, recoveryMs, stallMs, quiet, during, control }: Trial): string {
  return [
    `captured ${verdict.captured}`,
    `delivered ${stats.delivered}`,
    `dropped ${JSON.stringify(stats.dropped)}`,
    `duplicates ${verdict.duplicates}`,
    `lost ${lost}`,
    `arrived though dropped ${verdict.arrivedButDropped}`,
    `recovery ${recoveryMs.toFixed(0)}`,
    `pause ${stallMs.toFixed(0)}`,
    `failed calls ${during.failed}`,
    `p99 ${quiet.p99.toFixed(1)} / ${during.p99.toFixed(1)} / ${control.p99.toFixed(1)}`,
  ].join(", ");
}

function table(name: string, own: readonly Row[]): void {
  if (own.length === 0) return;
  const total = (of: (trial: Trial) => number): number => own.reduce((all, { trial }) => all + of(trial), 0);
  const sorted = (of: (trial: Trial) => number): number[] => own.map(({ trial }) => of(trial)).sort((a, b) => a - b);
  const median = (of: (trial: Trial) => number): number => sorted(of)[Math.floor(own.length / 2)] ?? 0;
  const most = (of: (trial: Trial) => number): number => sorted(of).at(-1) ?? 0;
  const cells = [
    name,
    own.length,
    total(({ verdict }) => verdict.captured),
    total(({ stats }) => stats.delivered),
    total(({ stats }) => sum(stats.dropped)),
    total(({ verdict }) => verdict.duplicates),
    total(({ lost }) => lost),
    `${median(({ recoveryMs }) => recoveryMs).toFixed(0)} / ${most(({ recoveryMs }) => recoveryMs).toFixed(0)}`,
    most(({ stallMs }) => stallMs).toFixed(0),
    total(({ during }) => during.failed),
    [median(({ quiet }) => quiet.p99), median(({ during }) => during.p99), median(({ control }) => control.p99)]
      .map((ms) => ms.toFixed(1))
      .join(" / "),
  ];
  console.log(`| ${cells.join(" | ")} |`);
}

/** A generator of random numbers from 0 to 1 that gives the same ones for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
