import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { root } from "../support/root.js";
import { until } from "../support/until.js";
import { type Cell, cells, type Dependency, nameOf, rowOf, type Suite, saidBy } from "./matrix.js";
import type { ObservedLog } from "./observed-log.js";

/** A component that runs, and what fails beneath it. */
export interface Subject {
  /** Its counts, and what else it says of itself. */
  stats(): unknown;
  readonly log: ObservedLog;
  /** Resolves when it does its work. Undefined if the failure is there from the start. */
  readonly works?: () => Promise<void>;
  fail(): Promise<void> | void;
  /** Ends the failure, and resolves when the component has made up for it. */
  recover(): Promise<void>;
}

/** How long a failure may take until it is seen. */
const patienceMs = 60_000;
/** What starts the subject of each cell, by the cell's name. */
export type Starts = Readonly<Record<string, () => Promise<Subject>>>;

/** Runs each cell of a dependency that this suite has. What the component does not say of a failure was not seen. */
export function runCells(suite: Suite, dependency: Dependency, starts: Starts): void {
  describe(dependency, { timeout: 120_000 }, () => {
    const own = cells.filter((cell) => cell.dependency === dependency && cell.suite === suite);

    it("has a run for each cell, and a cell for each run", () => {
      expect(Object.keys(starts).toSorted()).toEqual(own.map(nameOf).toSorted());
    });

    it.each(own.map((cell) => [nameOf(cell), cell] as const))("%s", async (name, cell) => {
      expect(readFileSync(`${root}/docs/failures.md`, "utf8"), "npm run docs:failures").toContain(rowOf(cell));
      await expectCell(await starts[name]!(), cell);
    });
  });
}

async function expectCell(subject: Subject, { counted, logged }: Cell): Promise<void> {
  expect(counted.length + logged.length).toBeGreaterThan(0);
  await subject.works?.();
  const before = saidBy(subject.stats());
  expect(counted.filter((one) => before.includes(one))).toEqual([]);
  expect(logged.filter((kind) => subject.log.kinds.has(kind))).toEqual([]);
  await subject.fail();
  const isSeen = (): boolean => {
    const said = saidBy(subject.stats());
    return counted.every((one) => said.includes(one)) && logged.every((kind) => subject.log.kinds.has(kind));
  };
  await until(isSeen, () => ({ said: saidBy(subject.stats()), kinds: [...subject.log.kinds] }), patienceMs);
  await subject.recover();
}
