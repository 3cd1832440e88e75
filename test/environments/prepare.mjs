// Gives this folder what its tests import: its own packages, this package as npm would publish it, a library with a second copy of
// it, and the examples. The caller has built this package.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fail } from "../../scripts/fail.mjs";
import { installPackages } from "../../scripts/packages.mjs";
import { addExampleTo, pack, unpackInto } from "../../scripts/packed-package.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));

function write(path, text) {
  const file = join(here, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function addLibrary(tarball) {
  const folder = join(here, "node_modules", "a-library");
  rmSync(folder, { recursive: true, force: true });
  const manifest = { name: "a-library", version: "0.0.0", type: "module", exports: "./index.js" };
  write("node_modules/a-library/package.json", JSON.stringify(manifest));
  write("node_modules/a-library/index.js", 'export * from "connect-session-activity";\n');
  unpackInto(folder, tarball);
}

/** Makes the Kafka client work, as a user does. */
function installKafkaClient() {
  const command = join(here, "node_modules", "connect-session-activity", "dist", "src", "cli", "session-activity.js");
  const { status } = spawnSync(process.execPath, [command, "install-kafka-client"], { cwd: here, stdio: "inherit" });
  if (status !== 0) fail("the Kafka client does not work: see above.");
}

/** The code of the documents, as a user has it: it imports packages by their names. One test is there for Jest, too. */
function addExamples() {
  const dist = join(here, "dist");
  rmSync(dist, { recursive: true, force: true });
  for (const path of ["example", "sessionactivity/v1/options_pb.ts"]) {
    cpSync(join(root, "gen", path), join(dist, "gen", path), { recursive: true });
  }
  for (const folder of ["quickstart", "trust", "testing"]) {
    cpSync(join(root, "examples", folder), join(dist, "examples", folder), { recursive: true });
  }
  const test = readFileSync(join(root, "examples", "testing", "service.test.ts"), "utf8");
  const jestTest = test.replace('from "vitest"', 'from "@jest/globals"').replace('module "vitest"', 'module "expect"');
  write("dist/examples/jest/service.test.ts", jestTest);
}

const tarball = pack("environments");
installPackages(here);
unpackInto(here, tarball);
addLibrary(tarball);
addExampleTo(here);
installKafkaClient();
addExamples();
