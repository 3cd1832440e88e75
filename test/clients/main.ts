// Lets foreign clients leave calls, at deadlines and by cancelling, directly, through proxies and over slow networks, and
// compares each event with what the caller saw: `npm run test:clients`.
//
// --settings quiet,cold  --clients grpc-go,curl  --paths direct,nginx  choose among them; by default, all.
// --per-cell 440  cases of each client in each setting.
// --minutes 30    repeats all settings, with new seeds, until the time is over.
// --seed 7        makes the same plan again.
// --rows FILE     where the rows go, one line of JSON for each case. By default, into .cache/lab.
// --without-delay leaves out the delayed network, if this machine forbids it.
//
// It runs itself in a network namespace of its own. Ends with a table, what does not hold, and a line that sums up.
import { spawnSync } from "node:child_process";
import { createWriteStream, mkdirSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "../support/root.js";
import { labClients } from "./lab-clients.js";
import { namespaceCommand, openLoopback, startDelays } from "./lab-network.js";
import { fetchProxies } from "./lab-proxies.js";
import { checks, table } from "./lab-report.js";
import { openTools } from "./lab-tools.js";
import { pathNames, type SettingName, settingNames, settings } from "./plan.js";
import type { Found } from "./rows.js";
import { runSetting } from "./run-setting.js";

const { values } = parseArgs({
  options: {
    settings: { type: "string" },
    clients: { type: "string" },
    paths: { type: "string" },
    "per-cell": { type: "string", default: "440" },
    minutes: { type: "string", default: "0" },
    seed: { type: "string", default: `${Date.now() % 1_000_000}` },
    rows: { type: "string" },
    "without-delay": { type: "boolean", default: false },
    inside: { type: "boolean", default: false },
  },
});
const cache = join(root, ".cache", "lab");
const seed = Number(values.seed);
const perCell = Number(values["per-cell"]);
const clients = chosen("clients", values.clients, Object.keys(labClients));
const paths = chosen("paths", values.paths, pathNames);
const rowsFile = values.rows ?? join(cache, `rows-${seed}.jsonl`);
const asked = chosen("settings", values.settings, settingNames);

const tools = openTools();
try {
  process.exitCode = values.inside ? await measure() : prepare();
} finally {
  tools.close();
}

function chosen<Name extends string>(option: string, given: string | undefined, all: readonly Name[]): readonly Name[] {
  if (given === undefined) return all;
  const unknown = given.split(",").filter((name) => !all.some((one) => one === name));
  if (unknown.length > 0) throw new Error(`--${option}: expected some of ${all.join(",")}, got ${unknown.join(",")}`);
  return all.filter((name) => given.split(",").includes(name));
}

/** Gets everything that needs the network, then goes on in a namespace without one. */
function prepare(): number {
  for (const client of clients) labClients[client]!.command(tools);
  if (asked.includes("delayed")) tools.programs();
  if (asked.includes("proxied")) fetchProxies(paths);
  const namespace = namespaceCommand();
  if (namespace === undefined) process.stderr.write("lab: this machine forbids network namespaces\n");
  const script = [join(import.meta.dirname, "main.js"), ...process.argv.slice(2), "--seed", values.seed, "--inside"];
  const [program = "", ...args] = [...(namespace ?? []), process.execPath, ...script];
  const env = { ...process.env, LAB_NAMESPACE: namespace === undefined ? "no" : "yes" };
  return spawnSync(program, args, { stdio: "inherit", env }).status ?? 1;
}

async function measure(): Promise<number> {
  const hasNamespace = process.env["LAB_NAMESPACE"] === "yes";
  if (hasNamespace) openLoopback();
  const { problem, stop } = asked.includes("delayed") ? await openDelays(hasNamespace) : noDelays();
  if (problem !== undefined) process.stdout.write(`lab: the delayed network is left out: ${problem}\n`);
  const found = await runAll(asked.filter((name) => name !== "delayed" || problem === undefined));
  stop();
  process.stdout.write(`\n${table(found)}\n\nrows: ${rowsFile}\n`);
  return sumUp(found, problem);
}

/** Says what does not hold. Gives the exit code. */
function sumUp(found: ReadonlyMap<SettingName, Found>, delayProblem: string | undefined): number {
  const isFull = values.clients === undefined && values.paths === undefined && perCell >= 440;
  const all = [...found].flatMap(([name, one]) => checks(name, one, isFull));
  const failures = all.flatMap(({ name, failure }) => (failure === undefined ? [] : [`${name}: ${failure}`]));
  const passed = all.length - failures.length;
  const isSkipped = delayProblem !== undefined && values["without-delay"];
  if (delayProblem !== undefined && !isSkipped) {
    failures.push(`delayed: only --without-delay may leave it out: ${delayProblem}`);
  }
  for (const failure of failures) process.stdout.write(`failed: ${failure}\n`);
  process.stdout.write(`tests: ${passed} passed, ${failures.length} failed, ${isSkipped ? 1 : 0} skipped\n`);
  return failures.length === 0 ? 0 : 1;
}

interface Delays {
  /** Why there are none. */
  readonly problem?: string;
  stop(): void;
}

function noDelays(problem?: string): Delays {
  return { ...(problem !== undefined && { problem }), stop() {} };
}

async function openDelays(hasNamespace: boolean): Promise<Delays> {
  if (values["without-delay"]) return noDelays("as --without-delay says");
  if (!hasNamespace) return noDelays("this machine forbids network namespaces");
  try {
    const child = await startDelays(tools.programs());
    return { stop: () => child.stdin?.end() };
  } catch (error) {
    const reason = error instanceof Error ? error.message.trim() : String(error);
    return noDelays(`this machine forbids TUN devices: ${reason}`);
  }
}

/** Runs the settings, one after the other, again and again until the time is over. */
async function runAll(names: readonly SettingName[]): Promise<Map<SettingName, Found>> {
  mkdirSync(cache, { recursive: true });
  const rows = createWriteStream(rowsFile);
  const found = new Map<SettingName, Found>();
  const until = performance.now() + Number(values.minutes) * 60_000;
  for (let round = 0; round === 0 || performance.now() < until; round += 1) {
    for (const name of names) {
      process.stderr.write(`lab: ${name}, seed ${seed + round}, load ${loadavg()[0]?.toFixed(1)}\n`);
      const folder = join(cache, `run-${seed + round}`);
      const one = await runSetting(settings[name], { clients, paths, perCell, seed: seed + round, tools, folder });
      for (const row of one.rows) rows.write(`${JSON.stringify({ round, ...row })}\n`);
      found.set(name, merged(found.get(name), one));
    }
  }
  await new Promise<void>((resolve) => rows.end(resolve));
  return found;
}

/** What several rounds of a setting have found. */
function merged(before: Found | undefined, now: Found): Found {
  if (before === undefined) return now;
  const rows = [...before.rows, ...now.rows];
  if (before.stats === undefined || now.stats === undefined) return { rows };
  const [first, second] = [before.stats.stats.interceptor, now.stats.stats.interceptor];
  const skipped: Record<string, number> = { ...first.skipped };
  for (const [reason, count] of Object.entries(second.skipped)) skipped[reason] = (skipped[reason] ?? 0) + count;
  const interceptor = {
    tracked: first.tracked + second.tracked,
    open: first.open + second.open,
    bypassed: first.bypassed + second.bypassed,
    leftEarly: (first.leftEarly ?? 0) + (second.leftEarly ?? 0),
    skipped,
  };
  return { rows, stats: { ...now.stats, stats: { interceptor } } };
}
