import { createHash, createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createSessionSigner, type SessionSignerOptions } from "../../src/signature/index.js";
import { refusalOf } from "../support/refusal.js";

const audience = "account-service";
const mark = { context: "c2Vzc2lvbg", operation: "login", procedure: "/a.B/C" };
const kinds = {
  EdDSA: generateKeyPairSync("ed25519"),
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
} as const;

/** Takes a compact JWS apart, and verifies it with Node's own crypto. */
function read(jws: string, algorithm: keyof typeof kinds) {
  const [header = "", payload = "", signature = ""] = jws.split(".");
  const parse = (part: string): unknown => JSON.parse(Buffer.from(part, "base64url").toString());
  const isValid = verify(
    algorithm === "EdDSA" ? null : "sha256",
    Buffer.from(`${header}.${payload}`),
    { key: kinds[algorithm].publicKey, dsaEncoding: "ieee-p1363" },
    Buffer.from(signature, "base64url"),
  );
  return { isValid, header: parse(header), payload: parse(payload) };
}

describe("createSessionSigner", () => {
  it.each(["EdDSA", "ES256"] as const)(
    "signs the mark, the method, the audience, a new id and the time: %s",
    async (alg) => {
      const signer = createSessionSigner({ key: kinds[alg].privateKey, keyId: "k1", audience });
      const before = Math.floor(Date.now() / 1_000);
      const [first, second] = await Promise.all([signer.sign(mark), signer.sign({ ...mark, operation: undefined })]);
      const { isValid, header, payload } = read(first, alg);
      expect(isValid).toBe(true);
      expect(header).toEqual({ alg, kid: "k1", typ: "session-mark+jwt" });
      expect(payload).toEqual({
        aud: audience,
        iat: expect.toSatisfy((iat: number) => iat >= before && iat <= Date.now() / 1_000),
        jti: expect.stringMatching(/^[\da-f-]{36}$/),
        procedure: "/a.B/C",
        operation: "login",
        context_sha256: createHash("sha256").update("c2Vzc2lvbg").digest("base64url"),
      });
      expect(read(second, alg).payload).not.toHaveProperty("operation");
      expect(read(second, alg).payload).not.toMatchObject({ jti: (payload as { jti: string }).jti });
      expect(first.length).toBeLessThan(600);
    },
  );

  it("takes a JWK, with its id", async () => {
    const jwk = { ...kinds.EdDSA.privateKey.export({ format: "jwk" }), kid: "of the JWK" };
    const byJwk = await createSessionSigner({ key: jwk, audience }).sign(mark);
    expect(read(byJwk, "EdDSA")).toMatchObject({ isValid: true, header: { kid: "of the JWK" } });
    const named = await createSessionSigner({ key: jwk, keyId: "given", audience }).sign(mark);
    expect(read(named, "EdDSA")).toMatchObject({ isValid: true, header: { kid: "given" } });
  });

  const { privateKey, publicKey } = kinds.EdDSA;
  const pem = String(privateKey.export({ format: "pem", type: "pkcs8" }));
  const kindsOfKey = "key must be an Ed25519 or P-256 key: a private JWK, PEM or a KeyObject";
  const wrong: [string, Record<string, unknown>, string, string, string?][] = [
    ["no key", { key: undefined }, "key", "key must be given, an Ed25519 or P-256 key", "MISSING"],
    [
      "no audience",
      { audience: undefined },
      "audience",
      "audience must be given, a text that is not empty, or the variable SESSION_SIGNATURE_AUDIENCE",
      "MISSING",
    ],
    ["a broken PEM", { key: pem.slice(0, 60) }, "key", "key must be an Ed25519 or P-256 key, got another"],
    [
      "a JWK as text",
      { key: '{"kty":"oct","k":"c2VjcmV0"}' },
      "key",
      `${kindsOfKey}, got a text of 28 characters: JSON.parse(text)`,
    ],
    ["a public key", { key: publicKey }, "key", 'key must be a private key, got "public"'],
    [
      "a public JWK",
      { key: createPublicKey(privateKey).export({ format: "jwk" }) },
      "key",
      "key must be an Ed25519 or P-256 key, got another",
    ],
    ["RSA", { key: generateKeyPairSync("rsa", { modulusLength: 2_048 }).privateKey }, "key", 'got "rsa"'],
    [
      "P-384",
      { key: generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey },
      "key",
      "key must be an Ed25519 or P-256",
    ],
    [
      "a shared secret",
      { key: { kty: "oct", k: "c2VjcmV0", kid: "k" } },
      "key",
      "key must be an Ed25519 or P-256 key, got another",
    ],
    ["two keys", { keyFile: "package.json" }, "keyFile", "give key or keyFile, not both", "CONFLICT"],
    ["a long id", { keyId: "k".repeat(257) }, "keyId", "keyId must be a text of 1 to 256 characters, got"],
    ["no audience", { audience: "" }, "audience", 'audience must be a text that is not empty, got ""'],
  ];
  it.each(wrong)(
    "refuses a wrong option, and never quotes a key: %s",
    (_, options, option, message, code = "INVALID") => {
      const given = { key: privateKey, keyId: "k1", audience, ...options } as SessionSignerOptions;
      const refusal = refusalOf(() => createSessionSigner(given));
      expect(refusal.message).toContain(message);
      expect(refusal).toMatchObject({ option, code: `ERR_OPTION_${code}` });
      expect(refusal.message).not.toMatch(/c2VjcmV0|PRIVATE KEY/);
    },
  );
});
