import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { createRandom, type Random } from "../support/random.js";
import type { Outcome } from "./case.js";
import { labClients } from "./lab-clients.js";
import { startLabProxy } from "./lab-proxies.js";
import type { Ports } from "./lab-record.js";
import type { Tools } from "./lab-tools.js";
import { directTarget, type PathName, type PlannedCase, planCases, type Setting } from "./plan.js";
import { type Found, joinRows } from "./rows.js";
import { stopAndGo } from "./stop-and-go.js";

/** What a run is asked to do in each setting. */
export interface RunOptions {
  readonly clients: readonly string[];
  readonly paths: readonly PathName[];
  /** How many cases each client has in each setting. They are shared out among the paths. */
  readonly perCell: number;
  readonly seed: number;
  readonly tools: Tools;
  /** Where records and logs go. */
  readonly folder: string;
}

/** How long a client may take to get ready, and beyond the window. */
const patienceMs = 60_000;

/** A program that dies with this one, if the machine has what it takes. */
const leash: readonly string[] =
  spawnSync("setpriv", ["--pdeathsig", "KILL", "true"], { stdio: "ignore" }).status === 0
    ? ["setpriv", "--pdeathsig", "KILL"]
    : [];

/** Runs all clients in one setting at the same time, against a server of its own. */
export async function runSetting(setting: Setting, options: RunOptions): Promise<Found> {
  const folder = join(options.folder, setting.name);
  mkdirSync(folder, { recursive: true });
  const record = join(folder, "record.jsonl");
  const server = await startServer(setting, options.tools, record);
  const stops: (() => void)[] = [];
  const random = createRandom(options.seed);
  try {
    const planned: PlannedCase[][] = [];
    const paths = setting.paths.filter((path) => options.paths.includes(path));
    for (const path of paths) {
      const share = Math.ceil(options.perCell / paths.length);
      if (path === "direct") {
        planned.push(...planAll(setting, options.clients, path, share, directTarget(server.ports), random));
      } else {
        const proxy = await startLabProxy(path, server.ports, folder);
        stops.push(proxy.stop);
        planned.push(...planAll(setting, options.clients, path, share, proxy.targetOf, random));
      }
    }
    const groups = planned.filter((cases) => cases.length > 0);
    const clients = await Promise.all(groups.map((cases) => startClient(setting, cases, options.tools, folder)));
    // All begin when the last is ready: the start of a program is work for the machine.
    const outcomes = await Promise.all(clients.map((begin) => begin()));
    // What the last callers did may still be on its way.
    await sleep(1_000);
    await server.end();
    return joinRows(planned.flat(), outcomes.flat(), record);
  } finally {
    for (const stop of stops) stop();
    server.kill();
  }
}

function planAll(
  setting: Setting,
  clients: readonly string[],
  path: PathName,
  count: number,
  targetOf: ReturnType<typeof directTarget>,
  random: Random,
): PlannedCase[][] {
  return clients.map((client) => planCases(setting, client, path, count, targetOf, random));
}

interface LabServer {
  readonly ports: Ports;
  end(): Promise<void>;
  kill(): void;
}

async function startServer(setting: Setting, { key, cert }: Tools, record: string): Promise<LabServer> {
  const script = join(import.meta.dirname, "lab-server.js");
  const options = ["--record", record, "--key", key, "--cert", cert, "--blocked", String(setting.serverBlocked)];
  const child = start([process.execPath, script, ...options]);
  child.stderr?.pipe(process.stderr);
  const exit = once(child, "exit");
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout! }), "line"),
    exit.then(() => Promise.reject(new Error("the lab's server does not start"))),
  ]);
  return {
    ports: JSON.parse(String(line)),
    async end() {
      child.stdin?.end();
      const [code, signal]: (number | string | null)[] = await exit;
      if (code !== 0) process.stderr.write(`the lab's server ended with ${signal ?? code}\n`);
    },
    kill: () => void child.kill("SIGKILL"),
  };
}

function start(command: readonly string[]): ChildProcess {
  const [program = "", ...args] = [...leash, ...command];
  return spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
}

/**
 * Starts a client and gives it its cases. Resolves when it is ready, to the function that lets it begin and collects what it
 * says. A client that hangs is ended.
 */
async function startClient(
  setting: Setting,
  cases: readonly PlannedCase[],
  tools: Tools,
  folder: string,
): Promise<() => Promise<Outcome[]>> {
  const { client = "", via = "direct" } = cases[0] ?? {};
  const child = start(labClients[client]!.command(tools));
  child.stderr?.pipe(createWriteStream(join(folder, `${client}-${via}.log`)));
  let patience = setTimeout(() => child.kill("SIGKILL"), patienceMs);
  child.stdin?.on("error", () => {});
  for (const one of cases) child.stdin?.write(`${JSON.stringify(one)}\n`);
  child.stdin?.write("\n");
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.value !== "ready") throw new Error(`${client} via ${via} does not start: see ${folder}`);
  return async () => {
    clearTimeout(patience);
    patience = setTimeout(() => child.kill("SIGKILL"), setting.windowMs + patienceMs);
    const release = setting.clientBlocked > 0 ? stopAndGo(child, setting.clientBlocked) : () => {};
    child.stdin?.end();
    const outcomes: Outcome[] = [];
    for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
      outcomes.push(JSON.parse(line.value));
    }
    clearTimeout(patience);
    release();
    return outcomes;
  };
}
