import { describe, expect, it } from "vitest";
import { isTrackValue, readTraceparent, stripMark } from "../../src/contract/headers.js";

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

describe("readTraceparent", () => {
  it("takes a trace context that is well-formed", () => {
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    expect(readTraceparent(new Headers({ traceparent }))).toBe(traceparent);
  });

  it("is empty without one", () => {
    expect(readTraceparent(new Headers())).toBe("");
  });

  it.each([
    "",
    "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
    "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
  ])("does not take %j", (traceparent) => {
    expect(readTraceparent(new Headers({ traceparent }))).toBe("");
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
