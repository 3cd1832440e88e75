// The benchmark: `npm run bench`, or `npm run bench -- NAMES OPTIONS`. See docs/performance.md.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem, type } from "node:os";
import { join } from "node:path";
import { root } from "../test/support/root.js";
import { type BenchOptions, readArguments, usage } from "./bench-arguments.js";
import { groups } from "./groups.js";
import { BusyMachineError, createOutsideWatch, type OutsideWatch } from "./kit/outside-load.js";
import {
  fillBlock,
  type GroupResult,
  isForPage,
  isTrusted,
  type RunStamp,
  reportInJson,
  reportInMarkdown,
  tableInMarkdown,
} from "./kit/report.js";

const page = join(root, "docs", "performance.md");
const folder = join(root, ".cache", "bench");

/** What a run ended with: all that was measured, and why that is not all that was asked for. */
interface Outcome {
  readonly results: readonly GroupResult[];
  readonly problems: readonly string[];
}

async function measureAll(options: BenchOptions, watch: OutsideWatch): Promise<Outcome> {
  const results: GroupResult[] = [];
  const problems: string[] = [];
  const say = (line: string): void => void process.stderr.write(`  ${line}\n`);
  const context = { isQuick: options.isQuick, afterRound: watch.check, say };
  try {
    await watch.begin();
    for (const group of options.groups) {
      process.stderr.write(`${group.name}: ${group.what}\n`);
      const result = await group.run(context).catch((error: unknown) => {
        if (error instanceof BusyMachineError) throw error;
        // The others go on without it.
        console.error(error);
        problems.push(`${group.name} failed: ${error instanceof Error ? error.message : String(error)}`);
      });
      if (result === undefined) continue;
      results.push(result);
      for (const table of result.tables) console.log(`\n${tableInMarkdown(table)}`);
    }
  } catch (error) {
    problems.push(`the run was stopped: ${error instanceof Error ? error.message : String(error)}`);
  }
  return { results, problems };
}

function stampOf(options: BenchOptions, watch: OutsideWatch, problems: readonly string[]): RunStamp {
  const versionOf = (name: string): string =>
    JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8")).version;
  const commit = execFileSync("git", ["describe", "--always", "--dirty"], { cwd: root, encoding: "utf8" }).trim();
  return {
    command: ["npm run bench", ...(options.given.length > 0 ? ["--", ...options.given] : [])].join(" "),
    machine: `${cpus().length} cores of ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GB, ${type()}`,
    versions: `Node ${process.versions.node}, Connect ${versionOf("@connectrpc/connect")}, protobuf-es ${versionOf("@bufbuild/protobuf")}, commit ${commit}`,
    at: new Date().toISOString().slice(0, 10),
    outsideShare: watch.highest(),
    busyMachineAllowed: options.isBusyMachineAllowed,
    isQuick: options.isQuick,
    problems,
  };
}

/** Writes the report, and what can be believed of it into the page, if that is asked for. */
function write(stamp: RunStamp, results: readonly GroupResult[], fillsPage: boolean): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "report.md"), reportInMarkdown(stamp, results));
  writeFileSync(join(folder, "report.json"), reportInJson(stamp, results));
  console.log("\nThe report stands in .cache/bench/report.md, with all samples in report.json beside it.");
  if (!fillsPage) return;
  const believed = results.filter(isForPage);
  writeFileSync(
    page,
    believed.reduce((text, result) => fillBlock(text, stamp, result), readFileSync(page, "utf8")),
  );
  console.log(`Written into docs/performance.md: ${believed.map(({ name }) => name).join(", ") || "nothing"}.`);
}

const options = readArguments(process.argv.slice(2), groups);
if (options.kind === "wrong") {
  console.error(`${options.problem}\n\n${usage(groups)}`);
  process.exit(2);
}
const watch = createOutsideWatch({ allowed: options.isBusyMachineAllowed });
const { results, problems } = await measureAll(options, watch);
write(stampOf(options, watch, problems), results, options.fillsPage);
const doubtful = results.filter(({ tables }) => !tables.every(isTrusted)).map(({ name }) => name);
if (doubtful.length > 0) console.error(`NOT TRUSTWORTHY: ${doubtful.join(", ")}. See the tables.`);
for (const problem of problems) console.error(`NOT COMPLETE: ${problem}.`);
process.exit(doubtful.length + problems.length > 0 ? 1 : 0);
