// Gives each folder here what its tests import: its own packages, this package as npm would publish it, and the code generated
// for the example's account service. The caller has built this package.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fail } from "../../scripts/fail.mjs";
import { installPackages, npm } from "../../scripts/packages.mjs";
import { prepareWorkspaces } from "./workspaces/prepare-workspaces.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));

const quietly = { stdio: ["ignore", "ignore", "inherit"] };

/** Packs this package, and returns the tarball. */
function pack() {
  const folder = join(root, ".cache", "frameworks");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { status } = npm(root, ["pack", "--silent", "--ignore-scripts", "--pack-destination", folder], quietly);
  if (status !== 0) fail("npm pack failed: see above.");
  return join(folder, readdirSync(folder)[0]);
}

/** An empty folder for a package. */
function emptyPackage(framework, name) {
  const folder = join(here, framework, "node_modules", name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

function unpack(tarball, folder) {
  const { status } = spawnSync("tar", ["-xzf", tarball, "--strip-components=1", "-C", folder], { stdio: "inherit" });
  if (status !== 0) fail("tar failed: see above.");
}

/** The code generated for the account service, with a copy of the options that it imports: as in a user's own package. */
function addExample(folder) {
  for (const path of ["example/account/v1/account_pb", "sessionactivity/v1/options_pb"]) {
    for (const ending of [".js", ".d.ts"])
      cpSync(join(root, "dist", "gen", path + ending), join(folder, path + ending));
  }
  const code = "./example/account/v1/account_pb";
  const exports = { ".": { types: `${code}.d.ts`, default: `${code}.js` } };
  const manifest = { name: "example-account", version: "0.0.0", type: "module", exports };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
}

const tarball = pack();
for (const framework of ["express", "fastify", "next"]) {
  installPackages(join(here, framework));
  unpack(tarball, emptyPackage(framework, "connect-session-activity"));
  addExample(emptyPackage(framework, "example-account"));
}

installPackages(join(here, "workspaces"));
prepareWorkspaces(root, join(root, ".cache", "workspaces"), tarball);
