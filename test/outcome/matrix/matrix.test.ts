import { afterAll, describe, expect, it } from "vitest";
import { wires } from "./matrix-clients.js";
import { report } from "./matrix-report.js";
import { type MatrixResult, runMatrix } from "./run-matrix.js";
import { ours } from "./subjects.js";

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
