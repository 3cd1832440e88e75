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
  isTrusted,
  type RunStamp,
  reportInJson,
  reportInMarkdown,
  tableInMarkdown,
} from "./kit/report.js";

const page = join(root, "docs", "performance.md");
const folder = join(root, ".cache", "bench");

/** What a run ended with: all that was measured, and why it ended early, if it did. */
interface Outcome {
  readonly results: readonly GroupResult[];
  readonly stopped?: string | undefined;
}

async function measure(options: BenchOptions, watch: OutsideWatch): Promise<Outcome> {
  const results: GroupResult[] = [];
  try {
    await watch.begin();
    for (const group of options.groups) {
      process.stderr.write(`${group.name}: ${group.what}\n`);
      const context = {
        isQuick: options.isQuick,
        afterRound: watch.check,
        say: (line: string) => void process.stderr.write(`  ${line}\n`),
      };
      const result = await group.run(context);
      results.push(result);
      for (const table of result.tables) console.log(`\n${tableInMarkdown(table)}`);
    }
    return { results };
  } catch (error) {
    // What was measured before is kept. A program that failed says more than its message.
    if (!(error instanceof BusyMachineError)) console.error(error);
    return { results, stopped: error instanceof Error ? error.message : String(error) };
  }
}

function stampOf(options: BenchOptions, watch: OutsideWatch, stopped: string | undefined): RunStamp {
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
    stopped,
  };
}

/** Writes the report, and what can be believed of it into the page, if that is asked for. */
function write(stamp: RunStamp, results: readonly GroupResult[], isForPage: boolean): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "report.md"), reportInMarkdown(stamp, results));
  writeFileSync(join(folder, "report.json"), reportInJson(stamp, results));
  console.log("\nThe report stands in .cache/bench/report.md, with all samples in report.json beside it.");
  if (!isForPage) return;
  const believed = results.filter(isTrusted);
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
const { results, stopped } = await measure(options, watch);
write(stampOf(options, watch, stopped), results, options.isForPage);
const doubtful = results.filter((result) => !isTrusted(result)).map(({ name }) => name);
if (doubtful.length > 0) console.error(`NOT TRUSTWORTHY: ${doubtful.join(", ")}. See the tables.`);
if (stopped !== undefined) console.error(`STOPPED: ${stopped}.`);
process.exit(doubtful.length > 0 || stopped !== undefined ? 1 : 0);
