// Writes the software bill of materials of a release, CycloneDX: `npm run sbom`. The package bundles nothing, so it lists the
// peers that a user installs beside it, at the versions that this repository tests, with all that they bring along.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fail } from "./fail.mjs";
import { npm } from "./packages.mjs";

const target = process.argv[2] ?? ".cache/sbom.cdx.json";
const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const { name, version, description, license, peerDependencies, devDependencies } = manifest;

const parent = mkdtempSync(join(tmpdir(), "sbom-"));
try {
  // npm names the component after its folder.
  const folder = join(parent, name);
  mkdirSync(folder);
  const tested = Object.keys(peerDependencies).map((peer) => [peer, devDependencies[peer]]);
  const project = { name, version, description, license, dependencies: Object.fromEntries(tested) };
  writeFileSync(join(folder, "package.json"), JSON.stringify(project));
  const lock = npm(folder, ["install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"]);
  if (lock.status !== 0) fail("npm could not resolve the peers: see above.");
  const format = ["--sbom-format=cyclonedx", "--sbom-type=library"];
  const { status, stdout } = npm(folder, ["sbom", "--package-lock-only", ...format], {
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
  });
  if (status !== 0) fail("npm could not write the bill of materials: see above.");
  const { components } = JSON.parse(stdout);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, stdout);
  console.log(`${target}: ${name} ${version}, and ${components.length} components`);
} finally {
  rmSync(parent, { recursive: true, force: true });
}
