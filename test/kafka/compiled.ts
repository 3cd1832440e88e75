import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Compiles the package as it stands, for a child process to import, and returns the path of its Kafka entry. */
export function compileKafkaEntry(): string {
  const entry = `${root}.cache/compiled/src/kafka/index.js`;
  const tsc = `${root}node_modules/typescript/bin/tsc`;
  const { stdout } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json", "--outDir", ".cache/compiled"], {
    cwd: root,
    encoding: "utf8",
  });
  if (!existsSync(entry)) throw new Error(`the package does not compile: ${stdout}`);
  return entry;
}
