import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { calculateJwkThumbprint, exportJWK } from "jose";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import type { Environment } from "../../src/base/environment.js";
import { createSessionKeySet, createSessionSigner, createSessionVerifier } from "../../src/signature/index.js";
import { keySetTable } from "../../src/signature/key-set.js";
import { signaturePrefix, signatureVariables } from "../../src/signature/signature-variables.js";
import { signerTable } from "../../src/signature/signer.js";
import { verifierTable } from "../../src/signature/verifier.js";
import { refusalOf } from "../support/refusal.js";

const mark = { procedure: "/a.v1.A/B", operation: "b", context: "c2Vzc2lvbi0x" };
const audience = "account-service";
const ed25519 = generateKeyPairSync("ed25519").privateKey;
const p256 = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;

const pemOf = (key: KeyObject): string =>
  String(key.export({ format: "pem", type: key.type === "private" ? "pkcs8" : "spki" }));
const publicPem = (key: KeyObject): string => pemOf(createPublicKey(key));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "keys-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
});

function file(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

/** What a service says to a mark that a gateway signed, each with what it has from its environment. */
async function verified(gateway: Environment, service: Environment) {
  const signature = await createSessionSigner({ env: gateway }).sign(mark);
  const keys = createSessionKeySet({ env: service, log: false });
  onTestFinished(() => keys.close());
  return createSessionVerifier({ keys, env: service }).verify(mark, signature);
}

const variable = (ending: (typeof signatureVariables)[number]) => `${signaturePrefix}${ending}`;

describe("keys in files, from the environment", () => {
  it.each([
    ["Ed25519, PEM and PEM", ed25519, pemOf(ed25519), publicPem(ed25519)],
    ["P-256, PEM and PEM", p256, pemOf(p256), publicPem(p256)],
    ["PEM with what OpenSSL writes before it", p256, `Bag Attributes\n${pemOf(p256)}`, publicPem(p256)],
  ])("%s", async (_, key, signing, set) => {
    const gateway = { [variable("KEY_FILE")]: file("signing.pem", signing), [variable("AUDIENCE")]: audience };
    const service = { [variable("KEYS_FILE")]: file("public.pem", set), [variable("AUDIENCE")]: audience };
    expect(await verified(gateway, service)).toBeUndefined();
    const kid = await calculateJwkThumbprint(await exportJWK(createPublicKey(key)));
    expect(createSessionKeySet({ env: service }).find(kid)?.keyId).toBe(kid);
    expect(await verified(gateway, { ...service, [variable("AUDIENCE")]: "another" })).toBe("signature_invalid");
  });

  it("a JWK, and a JWKS with it", async () => {
    const kid = "gateway-1";
    const jwk = { ...ed25519.export({ format: "jwk" }), kid };
    const { d: _, ...open } = jwk;
    const other = { ...createPublicKey(p256).export({ format: "jwk" }), kid: "gateway-2" };
    const gateway = { [variable("KEY_FILE")]: file("signing.json", jwk), [variable("AUDIENCE")]: audience };
    for (const content of [open, { keys: [other, open] }]) {
      const service = { [variable("KEYS_FILE")]: file("jwks.json", content), [variable("AUDIENCE")]: audience };
      expect(await verified(gateway, service)).toBeUndefined();
    }
  });

  it("what code trusts is all that is trusted", () => {
    const env = { [variable("KEYS_FILE")]: file("public.pem", publicPem(ed25519)) };
    const keys = createSessionKeySet({ keys: [publicPem(p256)], env });
    expect(keys.stats().keys).toBe(1);
  });
});

describe("what is refused, without a word of the key", () => {
  const signer = (content: unknown) => () => createSessionSigner({ keyFile: file("k", content), audience, env: false });
  const set = (content: unknown) => () => createSessionKeySet({ keysFile: file("k", content), env: false });
  const { kty, d, x, crv } = ed25519.export({ format: "jwk" });
  it.each([
    ["a public key for a signer", signer(publicPem(ed25519)), "keyFile must be an Ed25519 or P-256 key, got another"],
    [
      "a JWKS for a signer",
      signer({ keys: [{ kty, d, x, crv }] }),
      "keyFile must be an Ed25519 or P-256 key: a private",
    ],
    [
      "a signing key for a service",
      set({ kty, d, x, crv, kid: "a" }),
      "keysFile must be a public JWK, without private",
    ],
    [
      "one of several",
      set({
        keys: [
          { kty, x, crv, kid: "a" },
          { kty, d, x, crv, kid: "b" },
        ],
      }),
      "keysFile[1] must be",
    ],
    ["private PEM for a service", set(pemOf(p256)), "keysFile must be a public key, PEM or JWK, without private parts"],
    ["both kinds of PEM for a service", set(publicPem(p256) + pemOf(p256)), "without private parts"],
    ["no key at all", set("d: MC4CAQ"), "keysFile must be a file with public keys, as JWKS, JWK or PEM, got one with"],
    ["no key in it", set({ keys: [] }), "keysFile must be a file with at least one public key, got an empty JWKS"],
    ["no such file", () => createSessionKeySet({ keysFile: join(folder, "none"), env: false }), "a readable file"],
    ["a misspelt variable", () => createSessionSigner({ env: { SESSION_SIGNATURE_KEYFILE: "k" } }), "KEY_FILE?"],
    ["nothing", () => createSessionSigner({ audience, env: {} }), "key must be given"],
  ])("%s", (_, create, message) => {
    const refusal = refusalOf(create);
    expect(refusal.message).toContain(message);
    expect(refusal.message).not.toMatch(new RegExp(`${d}|MC4CAQ|BEGIN`));
  });
});

it("each variable is one of a table, and none is missing", () => {
  const tables = [signerTable, keySetTable, verifierTable];
  const named = tables.flatMap((table) => Object.values(table).flatMap(({ variable: name }) => name ?? []));
  expect([...new Set(named)].toSorted()).toEqual([...signatureVariables].toSorted());
});
