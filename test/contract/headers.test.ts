import { describe, expect, it } from "vitest";
import { isTrackValue, readMark, stripMark } from "../../src/contract/headers.js";

const marked = { "x-session-track": "true", "x-session-context": "abc" };

describe("isTrackValue", () => {
  it.each(["true", "true, true", "0, true", "true,false", "false,\ttrue"])("takes %j", (value) => {
    expect(isTrackValue(value)).toBe(true);
  });
  it("takes it at the end of 60 KB of others", () => {
    expect(isTrackValue(`${",0 ".repeat(20_000)},true`)).toBe(true);
  });
  it.each([
    "",
    "false",
    "0",
    "1",
    "TRUE",
    "True",
    "truee",
    "not true",
    "0, 1",
    "tr,ue",
    "untrue,0",
    "0,truee",
    "0, not true",
  ])("does not take %j", (value) => {
    expect(isTrackValue(value)).toBe(false);
  });
});

describe("readMark", () => {
  it("reads context, operation and trace", () => {
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const header = new Headers({
      ...marked,
      "X-Session-Operation": "change_password",
      "x-session-signature": "a.b-_.c",
      traceparent,
    });
    expect(readMark(header)).toEqual({
      context: "abc",
      operation: "change_password",
      signature: "a.b-_.c",
      hasSignature: true,
      traceparent,
    });
  });

  it("keeps the context verbatim, even where a header was repeated", () => {
    const header = new Headers({ ...marked, "x-session-context": "a=b; ü" });
    header.append("x-session-context", "second");
    expect(readMark(header)).toMatchObject({ context: "a=b; ü, second" });
  });

  it("finds no mark without the headers", () => {
    expect(readMark(new Headers())).toBe("unmarked");
    expect(readMark(new Headers({ "x-session-context": "abc" }))).toBe("unmarked");
  });

  it("reports a mark without a context", () => {
    expect(readMark(new Headers({ "x-session-track": "true" }))).toBe("context_empty");
    expect(readMark(new Headers({ "x-session-track": "true", "x-session-context": "  " }))).toBe("context_empty");
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

  it.each([
    "",
    "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
    "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
  ])("does not take the traceparent %j", (traceparent) => {
    expect(readMark(new Headers({ ...marked, traceparent }))).toMatchObject({ traceparent: "" });
  });
});

describe("stripMark", () => {
  it("leaves the context, and headers that are not ours", () => {
    const header = new Headers({
      ...marked,
      "x-session-operation": "login",
      "x-session-signature": "e30",
      "x-session-id": "mine",
    });
    stripMark(header);
    expect([...header.keys()].sort()).toEqual(["x-session-context", "x-session-id"]);
  });
});
