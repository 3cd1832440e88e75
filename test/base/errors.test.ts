import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { describeFailure, errorCode, errorMessage, errorName, isError } from "../../src/base/errors.js";

it("tells name, code and place of an error, and never its message", () => {
  const failure = describeFailure(Object.assign(new RangeError("session c2Vzc2lvbg"), { code: "E_RANGE" }));
  expect(failure).toMatchObject({ error: "RangeError", code: "E_RANGE", at: expect.stringContaining("errors.test") });
  expect(JSON.stringify(failure)).not.toContain("c2Vzc2lvbg");
});

it.each([
  [
    "a message that throws",
    Object.defineProperty(new Error("x"), "message", {
      get: () => {
        throw new Error("getter");
      },
    }),
  ],
  ["a stack that is no text", Object.assign(new Error("x"), { stack: [{}] })],
  [
    "a code that cannot be text",
    Object.assign(new Error("x"), {
      code: {
        toString() {
          throw new Error("code");
        },
      },
    }),
  ],
  ["nothing", undefined],
])("survives %s", (_, error) => {
  expect(describeFailure(error)).toHaveProperty("error");
});

// In Jest's ESM realm, what Node throws is such an error.
it.each(["new RangeError('full')", "Object.assign(new RangeError('full'), { code: 'E_FULL' })"])(
  "knows an error of another realm: %s",
  (made) => {
    const error: unknown = runInNewContext(made);
    expect(error instanceof Error).toBe(false);
    expect(isError(error)).toBe(true);
    expect(errorMessage(error)).toBe("full");
    expect(errorName(error)).toBe("RangeError");
    expect(errorCode(error)).toBe(made.includes("E_FULL") ? "E_FULL" : undefined);
    expect(describeFailure(error)).toMatchObject({ error: "RangeError" });
  },
);

it.each([
  [undefined, "undefined"],
  [null, "null"],
  [7, "7"],
  ["text", "text"],
  [{ name: "Error", message: "none", code: "E_NONE" }, "[object Object]"],
])("takes %j for no error", (value, text) => {
  expect(isError(value)).toBe(false);
  expect(errorMessage(value)).toBe(text);
  expect(errorName(value)).toBe(typeof value);
  expect(errorCode(value)).toBeUndefined();
});

it("takes a DOMException for an error", () => {
  expect(errorName(new DOMException("gone", "AbortError"))).toBe("AbortError");
});
