import { expect, it } from "vitest";
import { wires } from "./matrix-clients.js";
import { report, sum } from "./matrix-report.js";
import { type MatrixResult, runMatrix } from "./run-matrix.js";
import { naive } from "./subjects.js";

it("the matrix finds a naive interceptor out", { timeout: 120_000 }, async () => {
  const results: MatrixResult[] = [];
  for (const wire of wires.filter(({ name }) => !name.includes("json"))) results.push(await runMatrix(wire, naive));
  report("naive interceptor", results);
  expect(sum(results, "missing")).toBeGreaterThan(50);
  expect(sum(results, "wrongStatus")).toBeGreaterThan(100);
});
