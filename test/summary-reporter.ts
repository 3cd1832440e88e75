import { stripVTControlCharacters } from "node:util";
import type { Reporter, SerializedError, TestModule, TestRunEndReason } from "vitest/node";

/**
 * Ends the run with one plain line, `tests: N passed, N failed, N skipped`, after one line for each failure: whoever sees only
 * the end of a long log sees them.
 */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(
    modules: ReadonlyArray<TestModule>,
    unhandled: ReadonlyArray<SerializedError>,
    reason: TestRunEndReason,
  ): void {
    const failures = unhandled.map((error) => lineOf("outside of tests", [error]));
    const count = { passed: 0, skipped: 0 };
    for (const module of modules) {
      failures.push(...module.errors().map((error) => lineOf(module.relativeModuleId, [error])));
      for (const suite of module.children.allSuites()) {
        const name = `${module.relativeModuleId} > ${suite.fullName}`;
        failures.push(...suite.errors().map((error) => lineOf(name, [error])));
      }
      for (const test of module.children.allTests()) {
        const { state, errors } = test.result();
        if (state === "failed") failures.push(lineOf(`${module.relativeModuleId} > ${test.fullName}`, errors));
        else if (state !== "pending") count[state] += 1;
      }
    }
    if (reason !== "passed" && failures.length === 0) failures.push(lineOf(`the run was ${reason}`, []));
    process.on("exit", () => {
      for (const failure of failures) process.stdout.write(`failed: ${failure}\n`);
      process.stdout.write(`tests: ${count.passed} passed, ${failures.length} failed, ${count.skipped} skipped\n`);
    });
  }
}

function lineOf(name: string, errors: ReadonlyArray<SerializedError>): string {
  const reasons = errors.map(({ message, diff, stacks }) => {
    const at = stacks?.[0];
    const place = at === undefined ? "" : ` (${at.file.split("/").slice(-2).join("/")}:${at.line})`;
    return `${message}${place} ${typeof diff === "string" ? diff : ""}`;
  });
  return stripVTControlCharacters(`${name}: ${reasons.join("; ")}`)
    .replaceAll(/\s+/g, " ")
    .slice(0, 4000);
}
