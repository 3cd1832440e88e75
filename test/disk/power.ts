// Loses the power of a process with a spool at thousands of moments, and finds out whether an event was lost:
// `npm run power -- --states 10000 --seed 7 [--durability process]`. With `process`, it must find losses.
//
// strace records what the process and LevelDB do to the disk. For each state, the calls up to some moment are done again on a
// disk that keeps what was synced, and of all else what chance wants. Then the package's own recovery opens what is left.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createRandom, type Random } from "../support/random.js";
import { addState, noCounts, type PowerCounts, Promises } from "./power-faults.js";
import { type DiskCall, readCalls, straceOf } from "./recorded-calls.js";
import { recover } from "./recovery.js";
import { type Losses, UnsyncedDisk } from "./unsynced-disk.js";

const { values } = parseArgs({
  options: {
    states: { type: "string", default: "10000" },
    seed: { type: "string", default: `${Date.now() % 1_000_000}` },
    durability: { type: "string", default: "power" },
  },
});
const durability = values.durability === "process" ? "process" : "power";
/** States of one recording, whose calls take turns by chance. */
const statesPerRecording = 1_000;
/** Processes that follow each other on one directory. Each but the last is killed, or ends in an orderly way. */
const generations = 4;
const mostCalls = 400;
/** strace does not see what goes through io_uring, which libuv may use for files. */
const env = { ...process.env, UV_USE_IO_URING: "0" };

/** Records some processes that use a spool one after the other. */
function record(folder: string, random: Random): DiskCall[] {
  const [disk, marks] = [join(folder, "disk"), join(folder, "marks")];
  mkdirSync(disk);
  const calls: DiskCall[] = [];
  for (let generation = 0; generation < generations; generation += 1) {
    const trace = join(folder, "trace");
    const given = {
      directory: join(disk, "volume", "spool"),
      marks,
      durability,
      calls: `${1 + random.below(mostCalls)}`,
      seed: `${random.below(2 ** 30)}`,
    };
    const args = Object.entries(given).flatMap(([name, value]) => [`--${name}`, value]);
    if (random.below(3) > 0) args.push("--dies");
    const program = [process.execPath, fileURLToPath(new URL("power-writer.js", import.meta.url)), ...args];
    const { error, stderr } = spawnSync("strace", straceOf(trace, program), { encoding: "utf8", env });
    if (error !== undefined) throw new Error("this needs strace, and the right to use it", { cause: error });
    const before = calls.length;
    for (const call of readCalls(trace, disk, marks)) {
      calls.push(call.do === "sync" ? { ...call, seen: call.seen + before } : call);
    }
    if (calls.length === before) throw new Error(`nothing was recorded: ${stderr}`);
  }
  return calls;
}

/** Half of the moments are any, and half are near a change of names, of which there are few. */
function cutsOf(calls: readonly DiskCall[], count: number, random: Random): number[] {
  const near = calls.flatMap((call, at) => (["write", "sync", "mark"].includes(call.do) ? [] : [at]));
  const cuts = Array.from({ length: count }, () =>
    random.below(2) === 0
      ? random.below(calls.length + 1)
      : Math.min(calls.length, random.pick(near) + random.below(6)),
  );
  return cuts.sort((a, b) => a - b);
}

interface Totals {
  readonly counts: PowerCounts;
  readonly losses: Losses;
  calls: number;
}

async function runRecording(folder: string, states: number, random: Random, totals: Totals): Promise<void> {
  const calls = record(folder, random);
  const top = join(folder, "disk");
  totals.calls += calls.length;
  const disk = new UnsyncedDisk(top);
  const promises = new Promises();
  let done = 0;
  for (const cut of cutsOf(calls, states, random)) {
    for (const call of calls.slice(done, cut)) {
      disk.apply(call);
      if (call.do === "mark") promises.note(call.text);
    }
    done = cut;
    const state = join(folder, "state");
    const losses = disk.lose(random, state);
    for (const name of ["writes", "names", "torn"] as const) totals.losses[name] += losses[name];
    addState(totals.counts, promises, await recover(join(state, "volume", "spool"), durability));
    rmSync(state, { recursive: true });
  }
}

function faultsOf({ counts, losses }: Totals): string[] {
  const { lost, twins, invented, stuck, damaged: _, ...happened } = counts;
  const broken = Object.entries({ lost, twins, invented, stuck }).filter(([, count]) => count > 0);
  const missing = Object.entries({ ...happened, ...losses }).filter(([, count]) => count === 0);
  return [
    ...broken.map(([name, count]) => `${name}: ${count}`),
    ...missing.map(([name]) => `${name}: 0, so the run proves nothing`),
  ];
}

async function main(): Promise<void> {
  console.log(`seed ${values.seed}, durability ${durability}`);
  const random = createRandom(Number(values.seed));
  const totals: Totals = { counts: noCounts(), losses: { writes: 0, names: 0, torn: 0 }, calls: 0 };
  const states = Number(values.states);
  for (let done = 0; done < states; done += statesPerRecording) {
    const folder = mkdtempSync(join(tmpdir(), "power-"));
    try {
      await runRecording(folder, Math.min(statesPerRecording, states - done), random, totals);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    console.log(`${Math.min(states, done + statesPerRecording)} states, ${totals.counts.recovered} events recovered`);
  }
  console.log(JSON.stringify({ states, ...totals }, undefined, 2));
  const faults = faultsOf(totals);
  if (durability === "process") {
    // It promises nothing here, and a test that finds nothing here finds nothing.
    console.log(
      totals.counts.lost > 0 ? "lost, as is expected of this mode" : "nothing was lost, so the test is blind",
    );
    process.exitCode = totals.counts.lost > 0 ? 0 : 1;
    return;
  }
  console.log(faults.length === 0 ? "nothing lost" : `not as it should be:\n${faults.join("\n")}`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}

await main();
