import { createHash, createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createSessionSigner, type SessionSignerOptions } from "../../src/signature/index.js";

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
  const wrong: [string, Record<string, unknown>, string][] = [
    ["no key", { key: undefined }, "key must be an Ed25519 or P-256 key, got "],
    ["a public key", { key: publicKey }, 'key must be a private key, got "public"'],
    ["a public JWK", { key: createPublicKey(privateKey).export({ format: "jwk" }) }, "key must be an Ed25519 or P-256"],
    ["RSA", { key: generateKeyPairSync("rsa", { modulusLength: 2_048 }).privateKey }, 'got "rsa"'],
    [
      "P-384",
      { key: generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey },
      "key must be an Ed25519 or P-256",
    ],
    ["a shared secret", { key: { kty: "oct", k: "c2VjcmV0", kid: "k" } }, "key must be an Ed25519 or P-256 key"],
    ["no id", { keyId: undefined }, "keyId must be a string of 1 to 256 characters, got undefined"],
    ["no audience", { audience: "" }, 'audience must be a string, not empty, got ""'],
  ];
  it.each(wrong)("refuses a wrong option, and never quotes a key: %s", (_, options, message) => {
    const given = { key: privateKey, keyId: "k1", audience, ...options } as SessionSignerOptions;
    expect(() => createSessionSigner(given)).toThrow(TypeError);
    expect(() => createSessionSigner(given)).toThrow(message);
    expect(() => createSessionSigner(given)).not.toThrow("c2VjcmV0");
  });
});
