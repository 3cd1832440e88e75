import type { MatrixResult } from "./run-matrix.js";

export function sum(
  results: MatrixResult[],
  of: "missing" | "doubled" | "wrongStatus" | "flaggedWrongStatus" | "wrongHandlerStatus",
): number {
  return results.reduce((total, result) => total + result[of].length, 0);
}

/** Says in one line how many were right. */
export function report(name: string, results: MatrixResult[]): void {
  const cases = results.reduce((total, result) => total + result.cases, 0);
  const missing = sum(results, "missing");
  const flagged = sum(results, "flaggedWrongStatus");
  const right = cases - missing - sum(results, "wrongStatus") - flagged;
  process.stdout.write(
    `matrix, ${name}: ${right} of ${cases} statuses right, ${flagged} wrong with the flag, ${missing} events missing, ${sum(results, "doubled")} doubled, ` +
      `${sum(results, "wrongHandlerStatus")} handler statuses wrong\n`,
  );
}
