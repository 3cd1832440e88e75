import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import {
  cacheFolder,
  copyNativePart,
  findKafkaClient,
  keep,
  nativePart,
} from "../../src/cli/kafka-client/kafka-client-files.js";
import { type Block, blocksOf, read } from "../docs/pages.js";
import { cachePath, fillOnce } from "../support/cached-folder.js";
import { root } from "../support/root.js";

/** The package managers that are not on every machine, from the registry that npm is told to use. */
const managers = ["pnpm@10", "@yarnpkg/cli-dist@4"];

/** A folder with the programs of pnpm and yarn. */
function managersFolder(): string {
  const folder = cachePath("package-managers", managers.join());
  fillOnce(folder, (fresh) => {
    const args = [
      "install",
      "--prefix",
      fresh,
      "--no-save",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      ...managers,
    ];
    execFileSync("npm", args, { cwd: fresh, stdio: ["ignore", "ignore", "inherit"] });
  });
  return join(folder, "node_modules/.bin");
}

/** Packs this package as npm would publish it, and answers with the path of the file. */
export function pack(folder: string): string {
  const args = ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder];
  return join(folder, execFileSync("npm", args, { cwd: root, encoding: "utf8" }).trim());
}

/** The native part of this repository's client is what the projects find in the cache: no build is part of a run. */
function cacheNativePart(): void {
  const client = findKafkaClient()!;
  const folder = cacheFolder(client, nativePart());
  if (!existsSync(folder)) keep(folder, (fresh) => copyNativePart(client.folder, fresh));
}

/** Packs this package before the tests of a file, and takes that away after them. Answers with what gives the path. */
export function packForFile(): () => string {
  let tarball = "";
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "packed-"));
    tarball = pack(folder);
    cacheNativePart();
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return () => tarball;
}

/** A project in an empty folder of a user, in which only what documents say is typed. */
export interface Project {
  readonly folder: string;
  /** Types commands, in the folder or one below. Rejects if one fails. */
  type(commands: string, below?: string): Promise<string>;
  /** Saves a text. */
  save(path: string, text: string): void;
  /** Starts a program, and answers with what it prints. SIGTERM ends it with the test. */
  start(commands: string, below: string, env: Readonly<Record<string, string>>): { output(): string };
}

export function createProject(tarball: string): Project {
  const folder = mkdtempSync(join(tmpdir(), "adoption-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const env = { ...userEnvironment(), PATH: [managersFolder(), process.env["PATH"]].join(delimiter) };
  /** The file stands for the registry. */
  const typed = (commands: string): string =>
    commands.replaceAll(
      /(?<=(?:npm install|pnpm add|yarn add) )connect-session-activity/g,
      `connect-session-activity@file:${tarball}`,
    );
  return {
    folder,
    async type(commands, below = ".") {
      const options = { cwd: join(folder, below), env, maxBuffer: 1 << 26 };
      const { stdout } = await promisify(execFile)("bash", ["-e", "-c", typed(commands)], options);
      return stdout;
    },
    save(path, text) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    },
    start(commands, below, more) {
      const child = spawn("bash", ["-c", `exec env ${commands}`], {
        cwd: join(folder, below),
        env: { ...env, ...more },
      });
      let output = "";
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
      onTestFinished(async () => {
        if (child.exitCode !== null) return;
        child.kill("SIGTERM");
        await once(child, "exit");
      });
      return { output: () => output };
    },
  };
}

/** Without what npm and vitest set for this repository. */
function userEnvironment(): Record<string, string | undefined> {
  const own = /^(npm_|VITEST|NODE_ENV$|NODE_OPTIONS$|INIT_CWD$|TEST$)/;
  const registry = execFileSync("npm", ["config", "get", "registry"], { encoding: "utf8" }).trim();
  const names = Object.entries(process.env).filter(([name]) => !own.test(name));
  return { ...Object.fromEntries(names), YARN_NPM_REGISTRY_SERVER: registry, YARN_ENABLE_TELEMETRY: "0", CI: "1" };
}

/** What a section of a page says, under its heading. */
export function sectionOf(page: string, heading: string): Block[] {
  const lines = read(page).split("\n");
  const start = lines.indexOf(`## ${heading}`);
  if (start === -1) throw new Error(`${page} has no heading ${heading}`);
  const next = lines.findIndex((line, index) => index > start && line.startsWith("## "));
  const end = next === -1 ? lines.length : next;
  return blocksOf(page).filter(({ line }) => line > start && line <= end);
}

/** A file of the package, as it was packed. */
export function packedFiles(tarball: string): string[] {
  const names = execFileSync("tar", ["-tzf", tarball], { encoding: "utf8", maxBuffer: 1 << 26 });
  return names
    .split("\n")
    .filter(Boolean)
    .map((name) => name.replace(/^package\//, ""));
}
