// This package as npm would publish it, for suites whose tests import it by its name.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fail } from "./fail.mjs";
import { npm } from "./packages.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const quietly = { stdio: ["ignore", "ignore", "inherit"] };

/** Packs this package, which the caller has built, and returns the tarball. `suite` is a name of its own. */
export function pack(suite) {
  const folder = join(root, ".cache", suite);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { status } = npm(root, ["pack", "--silent", "--ignore-scripts", "--pack-destination", folder], quietly);
  if (status !== 0) fail("npm pack failed: see above.");
  return join(folder, readdirSync(folder)[0]);
}

/** Puts the packed package into a folder's node_modules. */
export function unpackInto(folder, tarball) {
  const target = emptyPackage(folder, "connect-session-activity");
  const { status } = spawnSync("tar", ["-xzf", tarball, "--strip-components=1", "-C", target], { stdio: "inherit" });
  if (status !== 0) fail("tar failed: see above.");
}

/**
 * Puts the code generated for the example's account service into a folder's node_modules, as the package example-account. It
 * holds a copy of the options that it imports: as in a user's own package.
 */
export function addExampleTo(folder) {
  const target = emptyPackage(folder, "example-account");
  for (const path of ["example/account/v1/account_pb", "sessionactivity/v1/options_pb"]) {
    for (const ending of [".js", ".d.ts"])
      cpSync(join(root, "dist", "gen", path + ending), join(target, path + ending));
  }
  const code = "./example/account/v1/account_pb";
  const exports = { ".": { types: `${code}.d.ts`, default: `${code}.js` } };
  const manifest = { name: "example-account", version: "0.0.0", type: "module", exports };
  writeFileSync(join(target, "package.json"), JSON.stringify(manifest));
}

function emptyPackage(folder, name) {
  const target = join(folder, "node_modules", name);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  return target;
}
