// Makes a workspace of npm and one of pnpm, as a user has it: with this package, buf and its plugin in one of its packages.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fail } from "../../../scripts/fail.mjs";
import { npm } from "../../../scripts/packages.mjs";

const needed = ["@bufbuild/buf", "@bufbuild/protoc-gen-es", "@bufbuild/protobuf", "@connectrpc/connect"];
const quiet = ["--ignore-scripts", "--prefer-offline"];

/** Prepares both under `folder`, each with this package's tarball. */
export function prepareWorkspaces(root, folder, tarball) {
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const pinned = Object.fromEntries(needed.map((name) => [name, devDependencies[name]]));
  const dependencies = { ...pinned, "connect-session-activity": `file:${tarball}` };
  const api = { name: "api", private: true, type: "module", dependencies };
  rmSync(folder, { recursive: true, force: true });

  function makeWorkspace(manager, manifest) {
    const workspace = join(folder, manager);
    mkdirSync(join(workspace, "packages", "api"), { recursive: true });
    writeFileSync(join(workspace, "package.json"), JSON.stringify({ name: "workspace", private: true, ...manifest }));
    writeFileSync(join(workspace, "packages", "api", "package.json"), JSON.stringify(api));
    return workspace;
  }

  const ofNpm = makeWorkspace("npm", { workspaces: ["packages/*"] });
  if (npm(ofNpm, ["install", ...quiet, "--silent", "--no-audit", "--no-fund"]).status !== 0)
    fail("npm failed: see above.");

  const ofPnpm = makeWorkspace("pnpm", {});
  writeFileSync(join(ofPnpm, "pnpm-workspace.yaml"), 'packages: ["packages/*"]\n');
  const pnpm = join(root, "test", "frameworks", "workspaces", "node_modules", "pnpm", "bin", "pnpm.cjs");
  const args = ["install", ...quiet, "--reporter", "append-only", "--store-dir", join(folder, "store")];
  const { status } = spawnSync(process.execPath, [pnpm, ...args], {
    cwd: ofPnpm,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) fail("pnpm failed: see above.");
}
