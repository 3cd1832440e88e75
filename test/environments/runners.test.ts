import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { here, runNode } from "./run-program.js";

const refused = { KAFKA_IS_REFUSED: "true" };

/** Runs vitest, and gives what failed and how many passed. */
async function withVitest(pool: "forks" | "threads", env: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const report = here(`dist/vitest-${pool}.json`);
  const args = ["run", "--config", "runners/vitest.config.mjs", "--pool", pool];
  await runNode(["node_modules/vitest/vitest.mjs", ...args, "--reporter", "json", "--outputFile", report], { env });
  return JSON.parse(readFileSync(report, "utf8"));
}

/** The same for Jest. */
async function withJest(config: string, flags: readonly string[] = []): Promise<unknown> {
  const args = ["node_modules/jest/bin/jest.js", "--config", config, "--json"];
  return JSON.parse(await runNode([...flags, ...args]));
}

const all = { success: true, numPassedTests: 5, numTotalTests: 5 };

it("vitest, forks", async () => {
  expect(await withVitest("forks")).toMatchObject(all);
});

it("vitest, threads", async () => {
  expect(await withVitest("threads", refused)).toMatchObject(all);
});

it("Jest, ESM", async () => {
  expect(await withJest("runners/jest-esm.config.mjs", ["--experimental-vm-modules"])).toMatchObject(all);
});

it("Jest, CommonJS", async () => {
  expect(await withJest("runners/jest-commonjs.config.mjs")).toMatchObject(all);
});
