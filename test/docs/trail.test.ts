import { expect, it, vi } from "vitest";
import { check } from "../../examples/trail/check.js";
import { eventsOf, runRecord } from "../trail/run-fixtures.js";

it("the example of docs/trail.md prints what is missing, and answers with the verdict", () => {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  expect(check([...eventsOf(1, 3), runRecord("ENDED", 1, 3)])).toBe("complete");
  expect(check([...eventsOf(1, 1), runRecord("ENDED", 1, 3)])).toBe("incomplete");
  expect(log.mock.lastCall).toEqual(["run-1", "ended", [{ first: 2, last: 3 }]]);
  log.mockRestore();
});
