import { expect, it } from "vitest";
import { describeFailure } from "../../src/base/failure.js";

it("tells name, code and place of an error, and never its message", () => {
  const failure = describeFailure(Object.assign(new RangeError("session c2Vzc2lvbg"), { code: "E_RANGE" }));
  expect(failure).toMatchObject({ error: "RangeError", code: "E_RANGE", at: expect.stringContaining("failure.test") });
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
