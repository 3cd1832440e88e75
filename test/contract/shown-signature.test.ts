import { expect, it } from "vitest";
import { readSignature } from "../../src/contract/shown-signature.js";

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

it("says which key made it, when, and for whom", () => {
  const signature = `${part({ alg: "EdDSA", kid: "gateway-1" })}.${part({ aud: "acount-service", iat: 1_795_819_158, jti: "mark-1" })}.c2ln`;
  expect(readSignature(signature)).toEqual({
    keyId: "gateway-1",
    audiences: ["acount-service"],
    issuedAtMs: 1_795_819_158_000,
    id: "mark-1",
  });
});

it("takes several audiences, and leaves out what is not there or of another kind", () => {
  const aud = ["a", 7, ...Array.from({ length: 20 }, () => "b")];
  expect(readSignature(`${part({ kid: 1 })}.${part({ aud, iat: "now", jti: 7 })}.`)).toEqual({
    keyId: "",
    audiences: ["a", ...Array.from({ length: 7 }, () => "b")],
    issuedAtMs: undefined,
    id: "",
  });
});

it.each(["", "e30", ".", "a.b.c", `${part(null)}.${part({})}.`, `${part({})}.${part("text")}.`, "e30.".repeat(2_000)])(
  "is not read: %.20s",
  (signature) => {
    expect(readSignature(signature)).toBeUndefined();
  },
);
