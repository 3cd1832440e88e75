import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { processEnvironment } from "./environment.js";

/** A program that installs packages, and what a user types for it. */
export interface PackageManager {
  readonly name: string;
  install(name: string): string;
  /** Runs a program of a package that is installed. */
  run(command: string): string;
}

const npm: PackageManager = {
  name: "npm",
  install: (name) => `npm install ${name}`,
  run: (command) => `npx ${command}`,
};

const pnpm: PackageManager = {
  name: "pnpm",
  install: (name) => `pnpm add ${name}`,
  run: (command) => `pnpm exec ${command}`,
};

const yarn: PackageManager = {
  name: "yarn",
  install: (name) => `yarn add ${name}`,
  run: (command) => `yarn ${command}`,
};

/** What each leaves in a project, from the surest to the least sure: what it installed tells more than a lockfile. */
const traces: readonly (readonly [file: string, manager: PackageManager])[] = [
  ["node_modules/.modules.yaml", pnpm],
  ["node_modules/.yarn-state.yml", yarn],
  ["node_modules/.yarn-integrity", yarn],
  [".pnp.cjs", yarn],
  ["node_modules/.package-lock.json", npm],
  ["pnpm-lock.yaml", pnpm],
  [".yarnrc.yml", yarn],
  ["yarn.lock", yarn],
  ["package-lock.json", npm],
];

/**
 * The package manager of the project that a file belongs to, then that of the folder in which the process runs, then the one
 * that runs the process. npm if nothing tells.
 */
export function packageManagerOf(file: string): PackageManager {
  return tracedFrom(dirname(file)) ?? tracedFrom(process.cwd()) ?? running() ?? npm;
}

function tracedFrom(folder: string): PackageManager | undefined {
  const found = traces.find(([file]) => existsSync(join(folder, file)));
  if (found !== undefined) return found[1];
  const above = dirname(folder);
  return above === folder ? undefined : tracedFrom(above);
}

function running(): PackageManager | undefined {
  const [, name] = /^(npm|pnpm|yarn)\//.exec(processEnvironment["npm_config_user_agent"] ?? "") ?? [];
  return [npm, pnpm, yarn].find((manager) => manager.name === name);
}
