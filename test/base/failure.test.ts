import { describe, expect, it } from "vitest";
import { failureOf, withFailure } from "../../src/base/failure.js";

describe("failureOf", () => {
  it.each(["passing", "permanent", "poison"] as const)("reads what withFailure has noted: %s", (failure) => {
    expect(failureOf(withFailure(new Error("no"), failure))).toBe(failure);
  });

  it.each([undefined, null, "poison", new Error("no"), { failure: "odd" }, { failure: ["poison"] }])(
    "says nothing of %s",
    (error) => expect(failureOf(error)).toBeUndefined(),
  );

  it("survives an error whose properties throw", () => {
    const hostile = Object.defineProperty(new Error("no"), "failure", {
      get() {
        throw new Error("never");
      },
    });
    expect(failureOf(hostile)).toBeUndefined();
  });
});
