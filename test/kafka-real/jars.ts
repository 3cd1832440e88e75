import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the repository, also for this file's compiled form. */
export const root: string = findRoot(dirname(fileURLToPath(import.meta.url)));

const pom = join(root, "test", "kafka-real", "pom.xml");

/** Apache Kafka's jars as a class path. Downloaded once, by Maven, into the user's cache folder. */
export function kafkaClassPath(): string {
  need("java", ["-version"]);
  const folder = jarFolder();
  if (!existsSync(folder)) download(folder);
  return join(folder, "*");
}

/** Where the classes of these jars are kept as this Java has loaded them; it need not be there. */
export function classArchive(): string {
  return `${jarFolder()}-${fingerprint(need("java", ["-version"]))}.jsa`;
}

function jarFolder(): string {
  const base = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return join(base, "connect-session-activity", `kafka-${fingerprint(readFileSync(pom))}`);
}

function fingerprint(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex").slice(0, 16);
}

function download(folder: string): void {
  need("mvn", ["-version"]);
  process.stderr.write("kafka: fetching Apache Kafka (54 MB, once)\n");
  mkdirSync(dirname(folder), { recursive: true });
  const fresh = mkdtempSync(`${folder}-`);
  const goal = [
    "-q",
    "-B",
    "-f",
    pom,
    "dependency:copy-dependencies",
    `-DoutputDirectory=${fresh}`,
    "-DincludeScope=runtime",
  ];
  const { status, stdout, stderr } = spawnSync("mvn", goal, { encoding: "utf8", maxBuffer: 1 << 26 });
  if (status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    throw new Error(`Maven could not fetch Apache Kafka:\n${stdout}${stderr}`);
  }
  try {
    renameSync(fresh, folder);
  } catch (error) {
    // Another run was faster.
    rmSync(fresh, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
}

/** What the command says of itself. */
function need(command: string, args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status === 0) return stdout + stderr;
  throw new Error(
    `"${command}" is missing. These tests start Apache Kafka: install Java 17 or newer and Maven 3.8 or newer (on Debian: apt-get install openjdk-17-jre-headless maven). With KAFKA_BROKERS=host:port, the tests that break nothing use that cluster; the others need one of their own all the same.`,
  );
}

function findRoot(folder: string): string {
  return existsSync(join(folder, "package-lock.json")) ? folder : findRoot(dirname(folder));
}
