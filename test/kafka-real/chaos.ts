// Breaks a cluster of three at random, round after round, and prints what became of the events:
// `npm run chaos -- --rounds 100 --seed 7`. Ends with a table, and with an error where anything was lost uncounted.
//
// `--fault "full outage" --hold 240000 --rounds 1` asks for one fault; `--rate 50` for that many events a second, and
// `--own 2000` for as many more by calls that the service makes to itself;
// `--expiry 3000` for a short deliveryTimeoutMs; `--property reconnect.backoff.max.ms=1000` for a librdkafka property.
import { parseArgs } from "node:util";
import { seededRandom } from "../support/random.js";
import { startCluster } from "./cluster.js";
import { type FaultName, faults } from "./faults.js";
import { printHead, printRow, printTrial } from "./report.js";
import { isSound, runTrial, type Trial } from "./trial.js";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "10" },
    seed: { type: "string", default: `${Date.now() % 1_000_000}` },
    rate: { type: "string", default: "150" },
    own: { type: "string", default: "0" },
    fault: { type: "string" },
    hold: { type: "string" },
    expiry: { type: "string" },
    property: { type: "string", multiple: true, default: [] },
  },
});
const random = seededRandom(Number(values.seed));
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
type Row = { readonly names: readonly FaultName[]; readonly trial: Trial };
const rows: Row[] = [];
let broken = 0;

console.log(`seed ${values.seed}`);
let cluster = await startCluster(3);
// Whoever loses patience gets the table of the rounds so far.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, finish);
for (let round = 1; round <= Number(values.rounds); round += 1) {
  const planned = Array.from({ length: values.fault !== undefined || random() < 0.8 ? 1 : 2 }, plan);
  const chosen = planned.map(({ name }) => name);
  // What a deleted topic held is known only where outcomes are asked for.
  const asksOutcomes = round % 2 === 0 || chosen.includes("topic re-created");
  const rates = { tracked: rate, control: Math.min(rate, 50) };
  const title = `${round}\t${planned.map(({ name, holdMs }) => `${name} ${(holdMs / 1_000).toFixed(1)} s`).join(" + ")}`;
  try {
    const trial = await runTrial(cluster, {
      faults: planned,
      rates,
      ownCallsPerSecond: Number(values.own),
      quietMs: 1_000,
      asksOutcomes,
      kafka,
    });
    rows.push({ names: chosen, trial });
    printTrial(title, trial);
  } catch (error) {
    broken += 1;
    console.log(`${title}\tROUND FAILED: ${error instanceof Error ? error.message : String(error)}`);
    await cluster.close();
    cluster = await startCluster(3);
  }
}
await cluster.close();

finish();

function finish(): never {
  const trialsOf = (belongs: (own: readonly FaultName[]) => boolean): Trial[] =>
    rows.filter((row) => belongs(row.names)).map(({ trial }) => trial);
  printHead();
  for (const name of names)
    printRow(
      name,
      trialsOf((own) => own.length === 1 && own[0] === name),
    );
  printRow(
    "two in a row",
    trialsOf((own) => own.length > 1),
  );
  printRow(
    "**all**",
    trialsOf(() => true),
  );
  console.log(`${rows.length} rounds, ${broken} that the harness could not finish`);
  process.exit(rows.every(({ trial }) => isSound(trial)) && broken === 0 ? 0 : 1);
}

/** Mostly short, and sometimes long enough for connections, sessions and requests to time out. */
function plan() {
  const name = (values.fault as FaultName | undefined) ?? urn[Math.floor(random() * urn.length)]!;
  const seconds = random() < 0.85 ? 0.5 + random() * 2.5 : 8 + random() * 12;
  return { name, fault: faults[name], holdMs: Number(values.hold ?? Math.round(seconds * 1_000)) };
}
