// Makes ready what only the benchmark needs: the packages that this one is compared with, and a copy of this one with the
// oldest Connect around it. The caller has built this package.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fail } from "../scripts/fail.mjs";
import { installPackages } from "../scripts/packages.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);

installPackages(join(here, "rivals"));
const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
const { status } = spawnSync(process.execPath, [tsc, "-p", join(here, "rivals")], { stdio: "inherit" });
if (status !== 0) fail("tsc failed: see above.");

installPackages(join(here, "oldest"));
const copy = join(here, "oldest", "node_modules", "connect-session-activity");
rmSync(copy, { recursive: true, force: true });
mkdirSync(copy, { recursive: true });
cpSync(join(root, "package.json"), join(copy, "package.json"));
cpSync(join(root, "dist"), join(copy, "dist"), { recursive: true });
