import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Compiles the package as it stands, for a child process to import, and returns the path of its Kafka entry. */
export function compileKafkaEntry(): string {
  const entry = `${root}.cache/compiled/src/kafka/index.js`;
  const tsc = `${root}node_modules/typescript/bin/tsc`;
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [tsc, "-p", "tsconfig.build.json", "--outDir", ".cache/compiled"],
    {
      cwd: root,
      encoding: "utf8",
    },
  );
  if (status !== 0) throw new Error(`tsc ended with ${status ?? signal}: ${stdout}${stderr}`);
  return entry;
}
