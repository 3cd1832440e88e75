import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const running = Number(process.versions.node.split(".")[0]);
const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");

/** The path of a Node of this major version, or undefined if this machine has none. */
export function nodePath(major: number): string | undefined {
  if (major === running) return process.execPath;
  // Where scripts/setup.mjs keeps those that it fetched.
  const folder = `node-${major}-${process.platform}-${process.arch}`;
  const packageName = folder.replace(`-${major}`, "");
  const path = join(cache, "connect-session-activity", folder, "node_modules", packageName, "bin", "node");
  return existsSync(path) ? path : undefined;
}
