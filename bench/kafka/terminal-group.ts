import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../test/support/root.js";
import type { Group } from "../kit/group.js";
import type { Table } from "../kit/report.js";
import { partitions, startBenchBroker } from "./bench-broker.js";
import { fillTopic } from "./fill-topic.js";

const topic = "shown";
const program = join(root, "dist", "src", "cli", "session-activity.js");

/** What a run of the program took. */
interface Run {
  readonly firstLineMs: number;
  readonly seconds: number;
  readonly lines: number;
  readonly mostMegabytes: number;
}

export const terminalGroup: Group = {
  name: "terminal",
  what: "tail and export on ten million records: the time to the first line, and memory",
  isOnDemand: true,
  async run({ isQuick, afterRound, say }) {
    const count = isQuick ? 200_000 : 10_000_000;
    const cluster = await startBenchBroker();
    try {
      await cluster.admin.createTopic(topic, partitions);
      say(`${count} records are written`);
      await fillTopic(cluster.brokers, topic, count, "lz4");
      const lateMs = Date.now();
      await fillTopic(cluster.brokers, topic, lastRecords, "lz4");
      const late = new Date(lateMs).toISOString();
      const asked: readonly (readonly [name: string, args: readonly string[]])[] = [
        ["tail of the last 1,000, by --since", ["tail", "--since", late, "--limit", String(lastRecords)]],
        ["tail of all, first 1,000 lines", ["tail", "--since", "1d", "--limit", String(lastRecords)]],
        ["export of the last 1,000, by --since", ["export", "--since", late]],
        ["export of all, as JSON", ["export"]],
        ["export of all, as CSV", ["export", "--format", "csv"]],
      ];
      const rows = [];
      for (const [name, args] of asked) {
        const run = await timed([...args, "--brokers", cluster.brokers, "--topic", topic]);
        say(`${name}: ${sentenceOf(run)}`);
        rows.push(rowOf(name, run));
        afterRound();
      }
      return { name: "terminal", tables: [tableOf(rows, count)] };
    } finally {
      await cluster.close();
    }
  },
};

const lastRecords = 1_000;
const newline = 0x0a;

/** Runs the program, whose lines nobody keeps. */
async function timed(args: readonly string[]): Promise<Run> {
  const startMs = performance.now();
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  let firstLineMs = Number.NaN;
  let lines = 0;
  let mostMegabytes = 0;
  const watching = setInterval(() => {
    mostMegabytes = Math.max(mostMegabytes, megabytesOf(child));
  }, 100);
  child.stdout.on("data", (chunk: Buffer) => {
    if (lines === 0) firstLineMs = performance.now() - startMs;
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, at + 1)) lines += 1;
  });
  const [code] = await once(child, "close");
  clearInterval(watching);
  if (code !== 0) throw new Error(`session-activity ${args.join(" ")} ended with ${code}`);
  return { firstLineMs, seconds: (performance.now() - startMs) / 1_000, lines, mostMegabytes };
}

/** The most memory that a process had so far. 0 if it has ended. */
function megabytesOf({ pid }: ChildProcess): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1_024;
  } catch {
    return 0;
  }
}

function sentenceOf({ firstLineMs, seconds, lines, mostMegabytes }: Run): string {
  return `first line after ${firstLineMs.toFixed(0)} ms, ${lines} lines in ${seconds.toFixed(1)} s, ${mostMegabytes.toFixed(0)} MiB`;
}

function rowOf(name: string, { firstLineMs, seconds, lines, mostMegabytes }: Run): Table["rows"][number] {
  return { name, cells: [firstLineMs, seconds, lines / seconds, mostMegabytes] };
}

function tableOf(rows: Table["rows"], count: number): Table {
  return {
    title: `The terminal on ${count.toLocaleString("en-US")} records`,
    columns: [
      { title: "first line, ms", digits: 0 },
      { title: "all, s", digits: 1 },
      { title: "lines a second", digits: 0 },
      { title: "most memory, MiB", digits: 0 },
    ],
    rows,
  };
}
