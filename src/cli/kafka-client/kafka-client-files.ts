import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { processEnvironment } from "../../base/environment.js";
import { errorMessage } from "../../base/errors.js";

/** The Kafka client's package, as this package finds it. */
export interface KafkaClientPackage {
  readonly folder: string;
  readonly version: string;
  /** Where another package is that it needs. */
  find(path: string): string;
}

export const clientName = "@confluentinc/kafka-javascript";

/** What of its native part is kept, by the paths in its folder. Who builds it with static libraries has only the first. */
const nativeFiles = [
  "build/Release/confluent-kafka-javascript.node",
  "build/deps/librdkafka.so.1",
  "build/deps/librdkafka++.so.1",
];

/** Finds the client from where this package loads it, or answers undefined if it is not installed. */
export function findKafkaClient(): KafkaClientPackage | undefined {
  let manifest: string;
  try {
    manifest = createRequire(import.meta.url).resolve(`${clientName}/package.json`);
  } catch {
    return undefined;
  }
  const { version }: { readonly version: string } = JSON.parse(readFileSync(manifest, "utf8"));
  const find = createRequire(manifest).resolve;
  return { folder: dirname(manifest), version, find };
}

/** What the client can do on this Node, such as `ssl`. Undefined if it cannot be loaded. */
export function featuresOf({ folder }: KafkaClientPackage): readonly string[] | undefined {
  const script = 'console.log(require(".").features.join())';
  const { status, stdout } = spawnSync(process.execPath, ["-e", script], { cwd: folder, encoding: "utf8" });
  return status === 0 ? stdout.trim().split(",") : undefined;
}

/** Where something that was made for one version of the client is kept for other projects, on this kind of machine. */
export function cacheFolder({ version }: KafkaClientPackage, part: string): string {
  const base = processEnvironment["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  const machine = `${process.platform}-${libc()}${process.arch}`;
  return join(base, "connect-session-activity", `kafka-client-${version}-${part}-${machine}`);
}

/** The part that is another one for each Node. */
export function nativePart(): string {
  return `node-${process.versions.modules}`;
}

/** Linux has more than one C library, and a binary is for one of them. */
function libc(): string {
  if (process.platform !== "linux") return "";
  const report: { readonly header?: { readonly glibcVersionRuntime?: string } } = process.report.getReport();
  return report.header?.glibcVersionRuntime === undefined ? "musl-" : "glibc-";
}

/** Copies the native part from one folder to another, as far as it is there. A process may have the old one open. */
export function copyNativePart(from: string, to: string): void {
  for (const path of nativeFiles) {
    if (existsSync(join(from, path))) copyAside(join(from, path), join(to, path));
    else rmSync(join(to, path), { force: true });
  }
}

function copyAside(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  const aside = `${to}.${process.pid}`;
  cpSync(from, aside);
  renameSync(aside, to);
}

/** Fills a folder of the cache: all of it is there, or nothing. Answers why that failed: nothing depends on a cache. */
export function keep(folder: string, fill: (fresh: string) => void): string | undefined {
  try {
    mkdirSync(dirname(folder), { recursive: true });
    const fresh = mkdtempSync(`${folder}.`);
    try {
      fill(fresh);
      rmSync(folder, { recursive: true, force: true });
      renameSync(fresh, folder);
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
    return undefined;
  } catch (error) {
    return errorMessage(error);
  }
}
