import { Code, ConnectError } from "@connectrpc/connect";
import { status as grpcStatus } from "@grpc/grpc-js";
import { expect, it } from "vitest";
import { statusName, wireCode } from "../../src/contract/status.js";

it("names every code as grpc-js does", () => {
  for (let code = 0; code <= 16; code++) expect(statusName(code)).toBe(grpcStatus[code]);
});

it("names the absence of a code OK, and a number that is no code UNKNOWN", () => {
  expect(statusName(undefined)).toBe("OK");
  expect(statusName(77)).toBe("UNKNOWN");
  expect(statusName(-1)).toBe("UNKNOWN");
});

it("takes the code of a ConnectError, and INTERNAL for all else", () => {
  expect(wireCode(new ConnectError("", Code.NotFound))).toBe(Code.NotFound);
  for (const thrown of [new Error(), new DOMException("", "AbortError"), "text", null, 42]) {
    expect(wireCode(thrown)).toBe(Code.Internal);
  }
});
