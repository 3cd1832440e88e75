import { generateKeyPairSync } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { SessionActivityEventSchema } from "../../src/index.js";
import {
  createSessionKeySet,
  createSessionSigner,
  type SignedActivity,
  verifySessionActivity,
} from "../../src/signature/index.js";
import { rejectionOf } from "../support/refusal.js";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const keys = createSessionKeySet({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k1" }] });
const signer = createSessionSigner({ key: privateKey, keyId: "k1", audience: "account-service" });
const mark = { context: "c2Vzc2lvbg", operation: "login", procedure: "/a.B/Login" };

async function signedEvent(changes: Partial<SignedActivity> = {}) {
  return create(SessionActivityEventSchema, {
    action: "login",
    procedure: mark.procedure,
    encodedSessionContext: mark.context,
    markSignature: await signer.sign(mark),
    startedAt: timestampFromMs(Date.now()),
    ...changes,
  });
}

describe("verifySessionActivity", () => {
  it("says who signed what and when, so that a reader sees a retry or a replay", async () => {
    const event = await signedEvent();
    const first = await verifySessionActivity(event, keys, { audience: ["account-service"] });
    expect(first).toEqual({
      verified: true,
      keyId: "k1",
      signatureId: expect.stringMatching(/^[\da-f-]{36}$/),
      issuedAt: expect.any(Date),
      audience: ["account-service"],
      operation: "login",
    });
    expect(await verifySessionActivity({ ...event }, keys)).toEqual(first);
    expect(await verifySessionActivity(await signedEvent(), keys)).not.toEqual(first);
  });

  it("verifies what the service could not, where the reader knows the key", async () => {
    const event = await signedEvent({ action: mark.procedure });
    expect(await verifySessionActivity(event, keys)).toMatchObject({ verified: true, operation: "login" });
  });

  it("verifies a mark without an operation, whatever the service's schema made of that", async () => {
    const markSignature = await signer.sign({ ...mark, operation: undefined });
    for (const action of [mark.procedure, "sign_in"]) {
      const event = await signedEvent({ markSignature, action });
      expect(await verifySessionActivity(event, keys)).toMatchObject({ verified: true, operation: undefined });
    }
  });

  it("judges the age at the time of the call, not of reading", async () => {
    const startedAt = timestampFromMs(Date.now() + 65_000);
    expect(await verifySessionActivity(await signedEvent({ startedAt }), keys)).toMatchObject({ verified: true });
    const tooLate = timestampFromMs(Date.now() + 100_000);
    const event = await signedEvent({ startedAt: tooLate });
    expect(await verifySessionActivity(event, keys)).toEqual({ verified: false, problem: "signature_expired" });
    expect(await verifySessionActivity(event, keys, { maxAgeMs: 120_000 })).toMatchObject({ verified: true });
  });

  it.each([
    ["another context", { encodedSessionContext: "b3RoZXI" }, "signature_invalid"],
    ["another action", { action: "logout" }, "signature_invalid"],
    ["another method", { procedure: "/a.B/Logout", action: "/a.B/Logout" }, "signature_invalid"],
    ["no time", { startedAt: undefined }, "signature_invalid"],
    ["no signature", { markSignature: "" }, "signature_missing"],
    ["garbage", { markSignature: "garbage" }, "signature_invalid"],
    ["no context, since it was too large", { encodedSessionContext: "" }, "context_missing"],
  ])("does not verify an event with %s", async (_, changes, problem) => {
    const event = { ...(await signedEvent()), ...changes };
    expect(await verifySessionActivity(event, keys)).toEqual({ verified: false, problem });
  });

  it("does not verify a signature for another audience, or by an unknown key", async () => {
    const event = await signedEvent();
    expect(await verifySessionActivity(event, keys, { audience: "mail-service" })).toMatchObject({ verified: false });
    const others = createSessionKeySet({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k2" }] });
    expect(await verifySessionActivity(event, others)).toEqual({ verified: false, problem: "key_unknown" });
  });

  it("rejects for options that are wrong", async () => {
    const noKeys = JSON.parse("{}");
    expect(await rejectionOf(verifySessionActivity(await signedEvent(), noKeys))).toMatchObject({
      message: "keys must be a SessionKeySet, which createSessionKeySet makes, got an object",
      code: "ERR_OPTION_INVALID",
      option: "keys",
    });
    const endless = verifySessionActivity(await signedEvent(), keys, { maxAgeMs: 0 });
    expect(await rejectionOf(endless)).toMatchObject({
      message: "maxAgeMs must be a number of milliseconds from 1 to 2147483647, got 0",
      code: "ERR_OPTION_INVALID",
      option: "maxAgeMs",
    });
  });
});
