// Breaks a cluster of three at random, round after round, and prints what became of the events:
// `npm run chaos -- --rounds 100 --seed 7`. Ends with a table, and with an error where anything was lost uncounted.
//
// `--fault "full outage" --hold 240000 --rounds 1` asks for one fault; `--rate 2000` for that many events a second;
// `--expiry 3000` for a short deliveryTimeoutMs; `--property reconnect.backoff.max.ms=1000` for a librdkafka property.
import { parseArgs } from "node:util";
import { startCluster } from "./cluster.js";
import { type FaultName, faults } from "./faults.js";
import { isSound, runTrial, type Trial } from "./trial.js";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "10" },
    seed: { type: "string", default: `${Date.now() % 1_000_000}` },
    rate: { type: "string", default: "150" },
    fault: { type: "string" },
    hold: { type: "string" },
    expiry: { type: "string" },
    property: { type: "string", multiple: true, default: [] },
  },
});
const random = randomOf(Number(values.seed));
const names = Object.keys(faults) as FaultName[];
if (values.fault !== undefined && !names.includes(values.fault as FaultName))
  throw new Error(`--fault: expected one of ${names.join(", ")}`);
/** A rolling restart takes three times as long as the others, so it comes less often. */
const urn: readonly FaultName[] = [...names, ...names.filter((name) => name !== "rolling restart")];
const rate = Number(values.rate);
const kafka = {
  ...(values.expiry === undefined ? {} : { deliveryTimeoutMs: Number(values.expiry) }),
  properties: Object.fromEntries(values.property.map((one) => one.split(/=(.*)/).slice(0, 2) as [string, string])),
};
type Row = { readonly round: number; readonly names: readonly FaultName[]; readonly trial: Trial };
const rows: Row[] = [];
let broken = 0;

console.log(`seed ${values.seed}`);
let cluster = await startCluster(3);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
for (let round = 1; round <= Number(values.rounds); round += 1) {
  const planned = Array.from({ length: values.fault !== undefined || random() < 0.8 ? 1 : 2 }, plan);
  const chosen = planned.map(({ name }) => name);
  // What a deleted topic held is known only where outcomes are asked for.
  const asksOutcomes = round % 2 === 0 || chosen.includes("topic re-created");
  const rates = { tracked: rate, control: Math.min(rate, 50) };
  const title = `${round}\t${planned.map(({ name, holdMs }) => `${name} ${(holdMs / 1_000).toFixed(1)} s`).join(" + ")}`;
  try {
    const trial = await runTrial(cluster, { faults: planned, rates, quietMs: 1_000, asksOutcomes, kafka });
    rows.push({ round, names: chosen, trial });
    console.log(`${title}\t${describe(trial)}`);
    for (const [error, count] of tally([...trial.during.errors, ...trial.control.errors]))
      console.log(`${round}\tFAILED CALLS, ${count}: ${error}`);
    if (!isSound(trial)) console.log(`${round}\tNOT SOUND: ${JSON.stringify(trial.verdict)}`);
  } catch (error) {
    broken += 1;
    console.log(`${title}\tROUND FAILED: ${error instanceof Error ? error.message : String(error)}`);
    await cluster.close();
    cluster = await startCluster(3);
  }
}
await cluster.close();

console.log(
  "\n| fault | rounds | captured | delivered | dropped, by reason | of these arrived | duplicates | deleted with the topic | lost uncounted | recovery ms, median / max | of which Kafka's own | longest pause ms | calls failed | p99 ms quiet / during / untracked during |",
);
console.log("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
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

/** Mostly short, and sometimes long enough for connections, sessions and requests to time out. */
function plan() {
  const name = (values.fault as FaultName | undefined) ?? urn[Math.floor(random() * urn.length)]!;
  const seconds = random() < 0.85 ? 0.5 + random() * 2.5 : 8 + random() * 12;
  return { name, fault: faults[name], holdMs: Number(values.hold ?? Math.round(seconds * 1_000)) };
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
    `MiB ${[memory.before, memory.fault, memory.peak, memory.after].map(megabytes).join(" / ")}`,
  ].join(", ");
}

function table(name: string, own: readonly Row[]): void {
  if (own.length === 0) return;
  const total = (of: (trial: Trial) => number): number => own.reduce((all, { trial }) => all + of(trial), 0);
  const sorted = (of: (trial: Trial) => number): number[] => own.map(({ trial }) => of(trial)).sort((a, b) => a - b);
  const median = (of: (trial: Trial) => number): number => sorted(of)[Math.floor(own.length / 2)] ?? 0;
  const most = (of: (trial: Trial) => number): number => sorted(of).at(-1) ?? 0;
  const spread = (of: (trial: Trial) => number): string => `${median(of).toFixed(0)} / ${most(of).toFixed(0)}`;
  const cells = [
    name,
    own.length,
    total(({ verdict }) => verdict.captured),
    total(({ stats }) => stats.delivered),
    reasons(own),
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

function reasons(own: readonly Row[]): string {
  const totals = new Map<string, number>();
  for (const { trial } of own)
    for (const [reason, count] of Object.entries(trial.stats.dropped))
      totals.set(reason, (totals.get(reason) ?? 0) + count);
  return [...totals].map(([reason, count]) => `${reason} ${count}`).join(", ") || "0";
}

function tally(errors: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const error of errors) counts.set(error, (counts.get(error) ?? 0) + 1);
  return counts;
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
