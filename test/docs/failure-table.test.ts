import { readFileSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import {
  type Cell,
  cells,
  components,
  dependencies,
  type Excluded,
  excluded,
  excludedTable,
  failures,
  matrixTable,
  nameOf,
} from "../failures/matrix.js";

const path = new URL("../../docs/failures.md", import.meta.url);
const marker = "<!-- made by npm run docs:failures -->";

it("docs/failures.md has the matrix that the tests find: npm run docs:failures writes it", () => {
  const page = readFileSync(path, "utf8");
  const [before] = page.split(marker);
  const expected = `${before}${marker}\n\n${matrixTable()}\n\n## What cannot be\n\n${excludedTable()}\n`;
  if (process.env["WRITE_FAILURES"] === "1") writeFileSync(path, expected);
  else expect(page).toBe(expected);
});

const places = dependencies.flatMap((dependency) =>
  components.flatMap((component) => failures.map((failure) => ({ dependency, component, failure }))),
);
type Place = (typeof places)[number];

it.each(places)("$dependency × $failure × $component is a cell, or is said not to be", (place) => {
  const found = cells.filter((cell) => isAt(cell, place)).length;
  const isExcluded = excluded.filter((one) => leavesOut(one, place)).length;
  expect([found > 0, isExcluded]).toEqual(isExcluded === 0 ? [true, 0] : [false, 1]);
});

const isAt = (cell: Cell, place: Place): boolean =>
  cell.dependency === place.dependency && cell.component === place.component && cell.failure === place.failure;
const leavesOut = (one: Excluded, { dependency, component, failure }: Place): boolean =>
  one.dependency === dependency && one.components.includes(component) && one.failures.includes(failure);

it("no two cells of a suite have the same name", () => {
  const names = cells.map((cell) => `${cell.suite} ${cell.dependency} ${nameOf(cell)}`);
  expect(names).toEqual([...new Set(names)]);
});

it("each cell says what is seen, and how it goes on", () => {
  const silent = cells.filter(
    ({ counted, logged, meanwhile, back }) => counted.length + logged.length === 0 || meanwhile === "" || back === "",
  );
  expect(silent).toEqual([]);
});
