import { readdirSync } from "node:fs";
import { expect, it } from "vitest";
import { environments, environmentsPage } from "../../scripts/environments-page.js";
import { at, read } from "./pages.js";

const page = read("docs/environments.md");
const { dependencies } = JSON.parse(read("test/environments/package.json"));

it("docs/environments.md has each environment, at the versions that are tested: npm run test:environments writes it", () => {
  const nodeVersion = /run on Node (\d+)/.exec(page)?.[1] ?? "";
  expect(page).toBe(environmentsPage({ dependencies, nodeVersion }));
});

it("each environment has a test of its name, and each name is that of one", () => {
  const files = readdirSync(at("test/environments")).filter((name) => name.endsWith(".test.ts"));
  const tests = files.map((name) => read(`test/environments/${name}`)).join("\n");
  const inLoops = environments.filter(({ name }) => name.startsWith("TypeScript"));
  const missing = environments.filter((one) => !inLoops.includes(one) && !tests.includes(`"${one.name}"`));
  expect(missing.map(({ name }) => name)).toEqual([]);
  expect(new Set(environments.map(({ name }) => name)).size).toBe(environments.length);
});

it("all packages of the table are those of the suite", () => {
  const unknown = environments.flatMap(({ packages }) => packages).filter((name) => !(name in dependencies));
  expect(unknown).toEqual([]);
});
