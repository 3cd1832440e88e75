import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cachePath, fillOnce, fingerprint } from "../support/cached-folder.js";
import { root } from "../support/root.js";

const pom = join(root, "test", "kafka-real", "pom.xml");

/** Apache Kafka's jars as a class path. Downloaded once, by Maven, into the user's cache folder. */
export function kafkaClassPath(): string {
  need("java", ["-version"]);
  const folder = jarFolder();
  fillOnce(folder, download);
  return join(folder, "*");
}

/** Where the classes of these jars are kept as this Java has loaded them; it need not be there. */
export function classArchive(): string {
  return `${jarFolder()}-${fingerprint(need("java", ["-version"]))}.jsa`;
}

function jarFolder(): string {
  return cachePath("kafka", readFileSync(pom));
}

function download(folder: string): void {
  need("mvn", ["-version"]);
  process.stderr.write("kafka: fetching Apache Kafka (54 MB, once)\n");
  const goal = [
    "-q",
    "-B",
    "-f",
    pom,
    "dependency:copy-dependencies",
    `-DoutputDirectory=${folder}`,
    "-DincludeScope=runtime",
  ];
  const { status, stdout, stderr } = spawnSync("mvn", goal, { encoding: "utf8", maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`Maven could not fetch Apache Kafka:\n${stdout}${stderr}`);
}

/** What the command says of itself. */
function need(command: string, args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status === 0) return stdout + stderr;
  throw new Error(
    `"${command}" is missing. These tests start Apache Kafka: install Java 17 or newer and Maven 3.8 or newer (on Debian: apt-get install openjdk-17-jre-headless maven). With KAFKA_BROKERS=host:port, the tests that break nothing use that cluster; the others need one of their own all the same.`,
  );
}
