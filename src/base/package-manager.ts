import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { processEnvironment } from "./environment.js";

/** A program that installs packages: what a user types to have a package installed, and its install script run. */
export interface PackageManager {
  readonly name: string;
  install(name: string): string;
  /** Permits the package's install script, which all but the oldest leave out until somebody does, and runs it. */
  build(name: string): readonly string[];
}

const npm: PackageManager = {
  name: "npm",
  install: (name) => `npm install ${name}`,
  build: (name) => [`npm approve-scripts ${name}`, `npm rebuild ${name}`],
};

const pnpm: PackageManager = {
  name: "pnpm",
  install: (name) => `pnpm add ${name}`,
  build: (name) => [`pnpm approve-builds ${name}`, `pnpm rebuild ${name}`],
};

const yarn: PackageManager = {
  name: "yarn",
  install: (name) => `yarn add ${name}`,
  // Yarn has no command of its own for this key of package.json.
  build: (name) => [`npm pkg set "dependenciesMeta[${name}].built=true" --json`, `yarn rebuild ${name}`],
};

const yarnClassic: PackageManager = { ...yarn, name: "yarn 1", build: () => ["yarn install --force"] };

/** What each leaves in a project, from the surest to the least sure: what it installed tells more than a lockfile. */
const traces: readonly (readonly [file: string, manager: PackageManager])[] = [
  ["node_modules/.modules.yaml", pnpm],
  ["node_modules/.yarn-state.yml", yarn],
  ["node_modules/.yarn-integrity", yarnClassic],
  [".pnp.cjs", yarn],
  ["node_modules/.package-lock.json", npm],
  ["pnpm-lock.yaml", pnpm],
  [".yarnrc.yml", yarn],
  ["yarn.lock", yarnClassic],
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
  const [, name, version] = /^(npm|pnpm|yarn)\/(\d+)/.exec(processEnvironment["npm_config_user_agent"] ?? "") ?? [];
  if (name === "yarn") return version === "1" ? yarnClassic : yarn;
  return [npm, pnpm].find((manager) => manager.name === name);
}
