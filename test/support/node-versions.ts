import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { root } from "./root.js";

/** The binary of the newest Node of a major version. It is fetched from the npm registry if it is not there yet. */
export function nodePath(major: number): string {
  if (process.version.startsWith(`v${major}.`)) return process.execPath;
  const script = join(root, "scripts", "fetch-node.mjs");
  const lines = execFileSync(process.execPath, [script, String(major)], { encoding: "utf8" })
    .trim()
    .split("\n");
  return lines.at(-1) ?? "";
}
