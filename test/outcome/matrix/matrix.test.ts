import { afterAll, describe, expect, it } from "vitest";
import { wires } from "./matrix-clients.js";
import { type MatrixResult, runMatrix } from "./run-matrix.js";
import { naive, ours } from "./subjects.js";

/** Endings that the interceptor cannot tell without Node's view of the call. They stand in the README, too. */
const blindSpots = [/^(.*HTTP\/2|grpc-js), .*: cancel while the handler reads/];

describe.each([
  ["with contextValues", true],
  ["without contextValues", false],
])("the event says what the caller received, %s", (name, withContextValues) => {
  const results: MatrixResult[] = [];

  it.each(wires)("$name", { timeout: 120_000 }, async (wire) => {
    const result = await runMatrix(wire, ours(withContextValues));
    results.push(result);
    const unexpected = (differences: string[]): string[] =>
      withContextValues ? differences : differences.filter((one) => !blindSpots.some((spot) => spot.test(one)));
    expect(result.missing).toEqual([]);
    expect(result.doubled).toEqual([]);
    expect(unexpected(result.wrongStatus)).toEqual([]);
    expect(unexpected(result.wrongHandlerStatus)).toEqual([]);
    // The blind spots stay few.
    expect(result.wrongStatus.length / result.cases).toBeLessThanOrEqual(0.03);
  });

  afterAll(() => report(name, results));
});

describe("the matrix can fail", () => {
  it("finds a naive interceptor out", { timeout: 120_000 }, async () => {
    const results: MatrixResult[] = [];
    for (const wire of wires.filter(({ name }) => !name.includes("json"))) results.push(await runMatrix(wire, naive));
    report("naive interceptor", results);
    expect(sum(results, "missing")).toBeGreaterThan(50);
    expect(sum(results, "wrongStatus")).toBeGreaterThan(100);
  });
});

function sum(
  results: MatrixResult[],
  of: "missing" | "doubled" | "wrongStatus" | "flaggedWrongStatus" | "wrongHandlerStatus",
): number {
  return results.reduce((total, result) => total + result[of].length, 0);
}

function report(name: string, results: MatrixResult[]): void {
  const cases = results.reduce((total, result) => total + result.cases, 0);
  const missing = sum(results, "missing");
  const flagged = sum(results, "flaggedWrongStatus");
  const right = cases - missing - sum(results, "wrongStatus") - flagged;
  process.stdout.write(
    `matrix, ${name}: ${right} of ${cases} statuses right, ${flagged} wrong with the flag, ${missing} events missing, ${sum(results, "doubled")} doubled, ` +
      `${sum(results, "wrongHandlerStatus")} handler statuses wrong\n`,
  );
}
