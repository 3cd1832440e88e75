import { afterAll, describe, expect, it } from "vitest";
import { blockLoop } from "../../support/block-loop.js";
import { leavingEndings } from "./leaving-endings.js";
import { leavingWires } from "./matrix-clients.js";
import { type Leavings, runMatrix } from "./run-matrix.js";
import { wired } from "./subjects.js";

describe.each([
  ["on a quiet loop", 0],
  ["on a loop that is blocked most of the time", 0.6],
])("a status is right or flagged, %s", (name, blocked) => {
  const found: Leavings[] = [];

  it.each(leavingWires)("$name", { timeout: 120_000 }, async (wire) => {
    const unblock = blocked > 0 ? blockLoop(blocked) : () => {};
    try {
      const result = await runMatrix(wire, wired, leavingEndings);
      found.push(result.leavings);
      expect(result.missing).toEqual([]);
      expect(result.doubled).toEqual([]);
      expect(result.wrongStatus).toEqual([]);
    } finally {
      unblock();
    }
  });

  afterAll(() => report(name, found));
});

function report(name: string, found: readonly Leavings[]): void {
  const sum = (of: (one: Leavings) => number): number => found.reduce((total, one) => total + of(one), 0);
  const wrong = (of: (one: Leavings) => Leavings["wrongDeadlines"]): string =>
    `${sum((one) => of(one).unflagged)} unflagged, ${sum((one) => of(one).flagged)} flagged (former rule: ${sum((one) => of(one).byFormerRule)})`;
  process.stdout.write(
    `leavings, ${name}: ${sum(({ all }) => all)}, of which ${sum(({ flagged }) => flagged)} flagged; ` +
      `wrong deadlines: ${wrong(({ wrongDeadlines }) => wrongDeadlines)}; ` +
      `wrong cancellations: ${wrong(({ wrongCancellations }) => wrongCancellations)}; ` +
      `not compared: ${sum(({ notCompared }) => notCompared)}\n`,
  );
}
