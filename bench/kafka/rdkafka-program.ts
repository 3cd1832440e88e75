import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runTool } from "../../test/support/built-tool.js";
import { cachePath, fillOnce } from "../../test/support/cached-folder.js";
import { root } from "../../test/support/root.js";
import { type PeerProcess, startProgram } from "../kit/peer-process.js";

const source = join(root, "bench", "kafka", "rdkafka.c");
const client = join(root, "node_modules", "@confluentinc", "kafka-javascript");
const library = join(client, "build", "deps", "librdkafka.so.1");

/** Why there is no program in C, if there is none. */
export const noRdkafka: string | undefined = existsSync(library)
  ? undefined
  : "C is left out: the Kafka client was fetched with librdkafka inside it, and not built here";

/** What it is asked for is a number of records. */
export type RdkafkaProgram = PeerProcess<number, { readonly seconds: number }>;

/** Starts a program in C that uses the very librdkafka that the Kafka client does. */
export function startRdkafka(
  what: "produce" | "consume",
  brokers: string,
  topic: string,
  valueBytes: number,
): RdkafkaProgram {
  const folder = cachePath("bench-rdkafka", Buffer.concat([readFileSync(source), Buffer.from(library)]));
  fillOnce(folder, (fresh) => {
    const headers = join(client, "deps", "librdkafka", "src");
    runTool("cc", [
      "-O2",
      "-o",
      join(fresh, "rdkafka"),
      source,
      `-I${headers}`,
      library,
      `-Wl,-rpath,${join(library, "..")}`,
    ]);
  });
  return startProgram(join(folder, "rdkafka"), [what, brokers, topic, String(valueBytes)], {});
}
