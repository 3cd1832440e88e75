// Writes docs/environments.md from a run of test/environments in which everything passed. The caller has built this package.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { environments, environmentsPage } from "../dist/scripts/environments-page.js";
import { fail } from "./fail.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const readJson = (path) => JSON.parse(readFileSync(join(root, path), "utf8"));

const { success, testResults } = readJson(".cache/environments/results.json");
const passed = new Set(
  testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status === "passed").map(({ title }) => title),
  ),
);
const notRun = environments.filter(({ name }) => !passed.has(name)).map(({ name }) => name);
if (!success || notRun.length > 0) fail(`these environments were not run, or failed: ${notRun.join("; ")}`);
const { dependencies } = readJson("test/environments/package.json");
const page = environmentsPage({ dependencies, nodeVersion: process.versions.node.split(".")[0] });
writeFileSync(join(root, "docs", "environments.md"), page);
