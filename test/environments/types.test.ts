import { writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { environments } from "../../scripts/environments-page.js";
import { here, runNode } from "./run-program.js";

/** `module` and `moduleResolution` by the name in the table. */
const resolutions: ReadonlyMap<string, readonly [string, string]> = new Map([
  ["node20", ["node20", "node16"]],
  ["bundler", ["esnext", "bundler"]],
]);

/** Writes a configuration as a user's, and gives its path. */
function project(name: string, resolution: string): string {
  const [module, moduleResolution] = resolutions.get(resolution) ?? [resolution, resolution];
  const path = here(`dist/tsconfig${name}.json`);
  const strict = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
  };
  const compilerOptions = { target: "es2023", types: ["node"], module, moduleResolution, ...strict, noEmit: true };
  writeFileSync(path, JSON.stringify({ compilerOptions, include: ["examples"] }));
  return path;
}

const typescript = environments.filter(({ name }) => name.startsWith("TypeScript "));

it.each(typescript.map(({ name, packages }) => [name, ...packages]))("%s", async (name = "", compiler = "") => {
  const resolution = name.split(", ")[1] ?? "";
  const config = project(`.${compiler}.${resolution}`, resolution);
  expect(await runNode([`node_modules/${compiler}/bin/tsc`, "-p", config])).toBe("");
});

it("typescript-eslint, recommended-type-checked", async () => {
  project("", "nodenext");
  const args = [
    "node_modules/eslint/bin/eslint.js",
    "--config",
    "runners/eslint.config.mjs",
    "--format",
    "json",
    "dist",
  ];
  const results: { readonly filePath: string; readonly messages: object[] }[] = JSON.parse(await runNode(args));
  expect(results.length).toBeGreaterThan(10);
  expect(results.flatMap(({ messages }) => messages)).toEqual([]);
});

it("the tests here compile", async () => {
  expect(await runNode(["node_modules/typescript-7/bin/tsc", "-p", "."])).toBe("");
});
