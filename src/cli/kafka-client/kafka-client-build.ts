import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { type Environment, processEnvironment } from "../../base/environment.js";
import { type ChildOptions, runChild } from "./child-process.js";
import { cacheFolder, copyNativePart, type KafkaClientPackage, keep } from "./kafka-client-files.js";
import type { Progress } from "./progress.js";

/** How to build the client's native part. */
export interface BuildOptions {
  /** Takes librdkafka from the cache, if it is there. */
  readonly useCache: boolean;
  readonly progress: Progress;
}

/** How make shows that it compiles a file of librdkafka. */
const isCompilation = / -c /;
const jobs = `-j${availableParallelism()}`;

/** The sources of the client that a build needs. */
const sources = ["binding.gyp", "deps", "package.json", "src", "util"];

/**
 * Compiles the client's native part from its sources and the machine's own libraries, and downloads nothing.
 *
 * The client's install script does more: it builds each library twice, with what a debugger needs, compiles its binding on
 * one core, and starts all compilers of librdkafka at once. By default it downloads the sources of OpenSSL, zstd and curl, too.
 *
 * It works in a folder of its own, so nothing but the result gets into the client's folder. Throws an `Error` that says what
 * is missing, or ends with what the compiler said.
 */
export async function buildKafkaClient(client: KafkaClientPackage, options: BuildOptions): Promise<void> {
  refuseMachine();
  const work = mkdtempSync(join(tmpdir(), "kafka-client-"));
  try {
    for (const name of sources) cpSync(join(client.folder, name), join(work, name), { recursive: true });
    cpSync(dirname(client.find("nan/package.json")), join(work, "node_modules", "nan"), { recursive: true });
    await buildLibraries(client, work, options);
    await buildBinding(work, options.progress);
    copyNativePart(work, client.folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** What a build runs, with Debian's names of what it comes from. */
const tools = [
  { program: processEnvironment["CXX"] ?? "g++", from: "g++" },
  { program: processEnvironment["CC"] ?? "gcc", from: "gcc" },
  { program: "make", from: "make" },
  { program: "python3", from: "python3" },
  { program: "bash", from: "bash" },
  { program: "npm", from: "npm" },
];

function refuseMachine(): void {
  if (process.platform !== "linux") {
    throw new Error(`it can be built here on Linux only, and this is ${process.platform}: see the client's own README`);
  }
  const missing = tools.filter(({ program }) => !runs(program)).map(({ from }) => from);
  if (missing.length > 0) {
    throw new Error(
      `building it needs ${missing.join(", ")}: on Debian and Ubuntu, apt-get install ${missing.join(" ")}`,
    );
  }
}

function runs(program: string): boolean {
  return spawnSync(program, ["--version"], { stdio: "ignore" }).status === 0;
}

/** librdkafka is most of the work. It is the same for each Node, so the next one takes what was built for the first. */
async function buildLibraries(client: KafkaClientPackage, work: string, options: BuildOptions): Promise<void> {
  const cached = cacheFolder(client, "librdkafka");
  const built = join(work, "build", "deps");
  if (options.useCache && existsSync(cached)) {
    cpSync(cached, built, { recursive: true });
    return;
  }
  const folder = join(work, "deps", "librdkafka");
  mkdirSync(built, { recursive: true });
  await run("bash", ["./configure", "--disable-debug-symbols"], { cwd: folder, env: buildEnvironment() });
  for (const [path, library] of [
    ["src", "librdkafka"],
    ["src-cpp", "librdkafka++"],
  ] as const) {
    const cwd = join(folder, path);
    const make = [`${library}.so.1`, `${library}.so`];
    const total = await countCompilations(cwd, make);
    const onLine = countLines(isCompilation, `compiling ${library}`, total, options.progress);
    await run("make", [jobs, ...make], { cwd, env: buildEnvironment(), onLine });
    cpSync(join(cwd, `${library}.so.1`), join(built, `${library}.so.1`));
  }
  const problem = keep(cached, (fresh) => cpSync(built, fresh, { recursive: true }));
  if (problem !== undefined) options.progress.say(`librdkafka is not kept for other projects: ${problem}`);
}

/** How many files `make` is going to compile. */
async function countCompilations(cwd: string, targets: readonly string[]): Promise<number> {
  let total = 0;
  const onLine = (line: string): void => {
    if (isCompilation.test(line)) total += 1;
  };
  await run("make", ["--dry-run", ...targets], { cwd, env: buildEnvironment(), onLine });
  return total;
}

/** Compiles the binding against the libraries that are there already. */
async function buildBinding(work: string, progress: Progress): Promise<void> {
  const librdkafka = join(work, "deps", "librdkafka");
  const libraries = join(work, "build", "deps");
  for (const name of ["librdkafka.so", "librdkafka++.so"]) symlinkSync(`${name}.1`, join(libraries, name));
  const env = {
    ...buildEnvironment(),
    BUILD_LIBRDKAFKA: "0",
    // Before all other flags: the machine may have headers of another librdkafka.
    CXX: `${processEnvironment["CXX"] ?? "g++"} -I${join(librdkafka, "src")} -I${join(librdkafka, "src-cpp")}`,
    // Make turns two dollars into one.
    LDFLAGS: `-L${libraries} -Wl,-rpath,'$$ORIGIN/../deps'`,
  };
  const total = readdirSync(join(work, "src")).filter((name) => name.endsWith(".cc")).length;
  const onLine = countLines(/^\s*CXX\(target\)/, "compiling the binding", total, progress);
  await run("npm", ["run", "-s", "configure"], { cwd: work, env });
  await run("npm", ["run", "-s", "build", "--", jobs], { cwd: work, env, onLine });
}

/** The environment of this process, with this Node first, and the headers beside it. */
function buildEnvironment(): Environment {
  const bin = dirname(process.execPath);
  // A package manager that intercepts Node's modules says so in NODE_OPTIONS: npm and node-gyp are not of this project.
  const env = {
    ...processEnvironment,
    PATH: `${bin}${delimiter}${processEnvironment["PATH"]}`,
    NODE_OPTIONS: undefined,
  };
  const node = dirname(dirname(realpathSync(process.execPath)));
  return existsSync(join(node, "include", "node", "node.h")) ? { ...env, npm_config_nodedir: node } : env;
}

function countLines(pattern: RegExp, text: string, total: number, progress: Progress): (line: string) => void {
  let done = 0;
  return (line) => {
    if (!pattern.test(line) || done >= total) return;
    done += 1;
    progress.count(text, done, total);
  };
}

async function run(program: string, args: readonly string[], options: ChildOptions): Promise<void> {
  const { succeeded, lastLines } = await runChild(program, args, options);
  if (!succeeded) throw new Error(`${program} ${args.join(" ")} failed:\n${lastLines.join("\n")}`);
}
