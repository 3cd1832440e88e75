// Says what a release still lacks. `npm publish` runs it first, and does not publish if there is anything.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

const { version, repository } = JSON.parse(readFileSync("package.json", "utf8"));
const changelog = readFileSync("CHANGELOG.md", "utf8");
const git = (...args) => spawnSync("git", args, { encoding: "utf8" }).stdout.trim();
const unreleased = /^## Unreleased\n([\s\S]*?)(?=^## )/m.exec(changelog)?.[1].trim();

const lacks = [
  [repository?.url === undefined, 'package.json has no "repository": set it to where this is developed'],
  [!changelog.includes(`\n## ${version}\n`), `CHANGELOG.md has no heading "## ${version}"`],
  [Boolean(unreleased), `CHANGELOG.md has changes under "Unreleased": move them under "## ${version}"`],
  [git("status", "--porcelain") !== "", "there are changes that are not committed"],
  [git("tag", "--points-at", "HEAD") !== `v${version}`, `this commit has no tag v${version}`],
]
  .filter(([isLacking]) => isLacking)
  .map(([, text]) => text);

for (const text of lacks) console.error(`release: ${text}`);
process.exitCode = lacks.length === 0 ? 0 : 1;
