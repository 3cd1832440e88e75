import { describe, expect, it } from "vitest";
import { readMark } from "../../src/contract/mark.js";

const marked = { "x-session-track": "true", "x-session-context": "abc" };

describe("readMark", () => {
  it("reads context, operation and signature", () => {
    const header = new Headers({
      ...marked,
      "X-Session-Operation": "change_password",
      "x-session-signature": "a.b-_.c",
    });
    expect(readMark(header)).toEqual({
      kind: "marked",
      context: "abc",
      operation: "change_password",
      signature: "a.b-_.c",
      hasSignature: true,
    });
  });

  it("keeps the context verbatim, even if a header was repeated", () => {
    const header = new Headers({ ...marked, "x-session-context": "a=b; ü" });
    header.append("x-session-context", "second");
    expect(readMark(header)).toMatchObject({ context: "a=b; ü, second" });
  });

  it("finds no mark without the headers", () => {
    expect(readMark(new Headers())).toEqual({ kind: "unmarked" });
    expect(readMark(new Headers({ "x-session-context": "abc" }))).toEqual({ kind: "unmarked" });
  });

  it("reports a mark without a context", () => {
    expect(readMark(new Headers({ "x-session-track": "true" }))).toEqual({ kind: "empty" });
    expect(readMark(new Headers({ "x-session-track": "true", "x-session-context": "  " }))).toEqual({ kind: "empty" });
  });

  it.each(["", "change password", "a\tb", "ändern", "x".repeat(129), "{}", "a, b"])(
    "does not take the operation %j",
    (value) => {
      expect(readMark(new Headers({ ...marked, "x-session-operation": value }))).toMatchObject({
        operation: undefined,
      });
    },
  );

  it.each(["", "a.b", "a.b.c.d", "a.b.c, a.b.c", "a.é.c", `a.${"b".repeat(2_049)}.c`])(
    "does not take the signature %j",
    (value) => {
      expect(readMark(new Headers({ ...marked, "x-session-signature": value }))).toMatchObject({ signature: "" });
    },
  );
});
