// Runs the quick suite with versions of Node, Connect and protobuf-es that this package claims to work with.
//
//   npm run test:versions             all sets and all tests; writes docs/versions.md if all pass
//   npm run test:versions -- --short  all sets, and the tests that versions matter to most; writes the page, too
//   npm run test:versions -- --ends   the oldest and the newest set, and the same tests: for CI
//
// Each set has a copy of the tree under .cache/versions, with packages of its own. The next run finds them there.
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { linkedNode, linkNode, versionOf } from "./node-binary.mjs";
import { installPackages, npm } from "./packages.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const endsOnly = process.argv.includes("--ends");
const isShort = endsOnly || process.argv.includes("--short");

const sets = [
  {
    name: "oldest",
    isEnd: true,
    node: "22",
    connect: "2.1.1",
    protobuf: "2.7.0",
    why: "the lowest of each that package.json allows",
  },
  {
    name: "middle",
    node: "22",
    connect: "2.2.0",
    protobuf: "2.13.0",
    why: "the Connect that the express and fastify plugins pin, and the last protobuf-es without compiled writers",
  },
  {
    name: "current",
    node: "24",
    connect: "2.3.0",
    protobuf: "2.17.0",
    why: "the Node that this repository is developed on, with the newest of the others",
  },
  { name: "newest", isEnd: true, node: "26", connect: "2.3.0", protobuf: "2.17.0", why: "the newest of each" },
];

/** What CI runs at the ends: what calls Connect, encodes and decodes. The rest would take longer than CI should. */
const endTests = [
  "test/contract",
  "test/gateway",
  "test/kafka/consumer/consumer.test.ts",
  "test/kafka/publisher/kafka-publisher.test.ts",
  "test/outcome/completion.test.ts",
  "test/outcome/matrix/matrix.test.ts",
  "test/service",
];
const notAtEnds = ["test/service/shutdown-load.test.ts"];

function folderOf(set) {
  return join(root, ".cache", "versions", set.name);
}

/** Copies the tree, with what is not committed. The packages of an earlier copy stay. */
function copyTree(folder) {
  mkdirSync(folder, { recursive: true });
  for (const entry of readdirSync(folder)) {
    if (entry !== "node_modules") rmSync(join(folder, entry), { recursive: true, force: true });
  }
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const { stdout } = spawnSync("git", args, { cwd: root, encoding: "utf8", maxBuffer: 1 << 26 });
  for (const file of stdout.split("\0")) {
    // Git goes on to list a deleted file until somebody commits that.
    if (file === "" || !existsSync(join(root, file))) continue;
    cpSync(join(root, file), join(folder, file), { preserveTimestamps: true });
  }
}

/** Runs a script on the set's Node, and hands on each line that it says. Resolves to its exit code. */
async function run(set, args, onLine = console.log) {
  const folder = folderOf(set);
  const path = [join(folder, "node_modules", ".bin"), process.env.PATH].join(delimiter);
  const child = spawn(linkedNode(folder), args, {
    cwd: folder,
    env: { ...process.env, PATH: path },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.on("close", resolve));
  for await (const line of createInterface({ input: child.stdout })) onLine(line);
  return ended;
}

/** The versions that a copy really has. */
function versionsIn(folder) {
  const of = (name) => JSON.parse(readFileSync(join(folder, "node_modules", name, "package.json"), "utf8")).version;
  return {
    node: versionOf(linkedNode(folder))?.slice(1) ?? "none",
    connect: of("@connectrpc/connect"),
    "connect-node": of("@connectrpc/connect-node"),
    protobuf: of("@bufbuild/protobuf"),
  };
}

/** Makes the copy ready for its tests. Throws where that fails, or where it has other versions than it should. */
async function prepare(set) {
  const folder = folderOf(set);
  copyTree(folder);
  installPackages(folder);
  const wanted = [`connect@${set.connect}`, `connect-node@${set.connect}`].map((name) => `@connectrpc/${name}`);
  const install = ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", ...wanted];
  if (npm(folder, [...install, `@bufbuild/protobuf@${set.protobuf}`]).status !== 0)
    throw new Error("npm install failed");
  linkNode(folder, set.node);
  // For the Kafka client's native part, which is another one for each Node.
  if ((await run(set, ["scripts/setup.mjs"])) !== 0) throw new Error("setup failed");
  const versions = versionsIn(folder);
  const isRight =
    versions.node.startsWith(`${set.node}.`) &&
    versions.connect === set.connect &&
    versions["connect-node"] === set.connect &&
    versions.protobuf === set.protobuf;
  if (!isRight) throw new Error(`these are other versions: ${JSON.stringify(versions)}`);
  if (npm(folder, ["run", "-s", "build"]).status !== 0) throw new Error("the build failed");
  return versions;
}

/** The tests to run, or none to run all. Vitest takes no notice of a path that names nothing, but this throws. */
function testFiles() {
  if (!isShort) return [];
  const files = endTests.flatMap((path) => {
    if (!statSync(join(root, path)).isDirectory()) return [path];
    const names = readdirSync(join(root, path)).filter((name) => name.endsWith(".test.ts"));
    return names.map((name) => `${path}/${name}`);
  });
  return files.filter((file) => !notAtEnds.includes(file));
}

/** Runs the tests, and counts them by the line that ends a run. */
async function test(set) {
  let counts;
  const code = await run(set, ["node_modules/vitest/vitest.mjs", "run", ...testFiles()], (line) => {
    const match = /^tests: (\d+) passed, (\d+) failed, (\d+) skipped$/.exec(line);
    if (match === null) console.log(line.replace(/^failed: /, `failed: ${set.name}: `));
    else counts = { passed: Number(match[1]), failed: Number(match[2]), skipped: Number(match[3]) };
  });
  if (counts === undefined) throw new Error("the tests ended without their closing line");
  if (code !== 0 && counts.failed === 0) throw new Error(`the tests exited with ${code}`);
  return counts;
}

async function result(set) {
  const start = performance.now();
  const { node, connect, protobuf } = set;
  const outcome = { name: set.name, why: set.why, node, connect, protobuf, passed: 0, failed: 0, skipped: 0 };
  try {
    console.log(`== ${set.name}: Node ${node}, Connect ${connect}, protobuf-es ${protobuf}`);
    const versions = await prepare(set);
    console.log(`== ${set.name} runs on ${JSON.stringify(versions)}`);
    Object.assign(outcome, { node: versions.node }, await test(set));
  } catch (error) {
    console.log(`failed: ${set.name}: ${error.message}`);
    outcome.failed += 1;
  }
  return { ...outcome, minutes: ((performance.now() - start) / 60_000).toFixed(1) };
}

function table(results, columns) {
  const rows = [columns, columns.map(() => "---"), ...results.map((one) => columns.map((column) => one[column]))];
  return rows.map((row) => `| ${row.join(" | ")} |`).join("\n");
}

function pageOf(results) {
  return `# Versions

Which versions of Node, Connect and protobuf-es does this package work with? With those in \`package.json\`. These sets of them were tested:

${table(results, columns)}

${results.map(({ name, why }) => `- **${name}**: ${why}.`).join("\n")}

\`npm run test:versions\` runs the whole quick suite on each set, with the status matrix, and writes this page. With \`-- --short\`, it runs fewer tests. ${isShort ? "The figures above are those of the short run." : "The figures above are those of the whole run."}

CI runs \`npm run test:versions -- --ends\`: the oldest and the newest set, with the tests of a short run. Those are:

${endTests.map((path) => `- \`${path}\``).join("\n")}

${notAtEnds.map((path) => `\`${path}\``).join(", ")} is left out, since it takes a minute.
`;
}

const columns = ["name", "node", "connect", "protobuf", "passed", "failed", "skipped"];
const results = [];
for (const set of sets) if (!endsOnly || set.isEnd) results.push(await result(set));
const sum = (column) => results.reduce((total, one) => total + one[column], 0);
const isGood = sum("failed") + sum("skipped") === 0;
if (isGood && !endsOnly) writeFileSync(join(root, "docs", "versions.md"), pageOf(results));
console.log(table(results, [...columns, "minutes"]));
console.log(`tests: ${sum("passed")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped`);
process.exitCode = isGood ? 0 : 1;
