import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { kafkaClassPath } from "./jars.js";

const run = promisify(execFile);

/** What keeps a JVM small and quick to start. */
const smallJvm = ["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];

/** Runs one of Kafka's own command line tools, by its class, and answers with its output, byte for byte. */
export async function runKafkaTool(mainClass: string, args: readonly string[], input = ""): Promise<Buffer> {
  const child = run("java", [...smallJvm, "-cp", kafkaClassPath(), mainClass, ...args], {
    encoding: "buffer",
    maxBuffer: 1 << 26,
    timeout: 60_000,
  });
  child.child.stdin?.end(input);
  return (await child).stdout;
}
