// npm, for scripts that run before anything is installed.
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { fail } from "./fail.mjs";

/** Runs npm in a folder: the one that runs this script, where there is one. */
export function npm(folder, args, options = {}) {
  const cli = process.env.npm_execpath;
  const [command, first] = cli?.endsWith(".js") ? [process.execPath, [cli]] : ["npm", []];
  return spawnSync(command, [...first, ...args], {
    cwd: folder,
    stdio: ["ignore", "inherit", "inherit"],
    shell: command === "npm" && process.platform === "win32",
    ...options,
  });
}

/** Runs `npm ci` without install scripts, if the folder's node_modules is missing or older than its lockfile. */
export function installPackages(folder) {
  const installed = join(folder, "node_modules", ".package-lock.json");
  const lockfile = join(folder, "package-lock.json");
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lockfile).mtimeMs) return;
  console.error(`npm ci in ${folder}`);
  const { status } = npm(folder, ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
  if (status !== 0) fail("npm ci failed: see above.");
}
