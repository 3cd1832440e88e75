// Gives each folder here what its tests import: its own packages, this package as npm would publish it, and the code generated
// for the example's account service. The caller has built this package.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fail } from "../../scripts/fail.mjs";
import { installPackages, npm } from "../../scripts/packages.mjs";

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

function addExample(folder) {
  cpSync(join(root, "dist", "gen", "example", "account", "v1"), folder, { recursive: true });
  const exports = { ".": { types: "./account_pb.d.ts", default: "./account_pb.js" } };
  const manifest = { name: "example-account", version: "0.0.0", type: "module", exports };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
}

const tarball = pack();
for (const framework of ["express", "fastify", "next"]) {
  installPackages(join(here, framework));
  unpack(tarball, emptyPackage(framework, "connect-session-activity"));
  addExample(emptyPackage(framework, "example-account"));
}
