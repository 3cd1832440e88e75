import { createHash, createPrivateKey, createPublicKey, type JsonWebKey, KeyObject } from "node:crypto";
import { types } from "node:util";
import { describeSecret, missingOption, wrongOption, wrongOptionShown } from "../base/option-error.js";
import { isOptions } from "../base/options.js";
import type { SignatureAlgorithm } from "./claims.js";

/** A key that can be found by its id, and the one algorithm that it is for. */
export interface SessionKey {
  readonly keyId: string;
  readonly algorithm: SignatureAlgorithm;
  readonly key: KeyObject;
}

const expectedKinds = "an Ed25519 or P-256 key";

/** Reads a public key, a JWK. Throws an `OptionError` if it is not one, or of a kind that is not allowed. */
export function readPublicKey(option: string, given: unknown): SessionKey {
  // oct would be a shared secret, and a verifier that holds a private key could forge.
  if (!isJwk(given) || "d" in given || "k" in given) {
    throw wrongOptionShown(option, "a public JWK, without private parts", describeSecret(given), publicAdvice(given));
  }
  const { kid, use, alg } = given;
  if (use !== undefined && use !== "sig") throw wrongOption(`${option}.use`, '"sig", or absent', use);
  const key = readKey(option, () => createPublicKey({ key: given, format: "jwk" }));
  const algorithm = readAlgorithm(option, key);
  if (alg !== undefined && alg !== algorithm && !(alg === "Ed25519" && algorithm === "EdDSA")) {
    throw wrongOption(`${option}.alg`, `"${algorithm}", or absent`, alg);
  }
  return { keyId: readKeyId(`${option}.kid`, kid), algorithm, key };
}

/** Reads a public key, PEM. Its id is its thumbprint. Throws as {@link readPublicKey} does. */
export function readPublicPem(option: string, pem: string): SessionKey {
  // Node would make a public key of a private one.
  if (!pem.includes("-----BEGIN PUBLIC KEY-----") || pem.includes("PRIVATE KEY-----")) {
    throw wrongOptionShown(option, "a public key, PEM or JWK, without private parts", describeSecret(pem));
  }
  const key = readKey(option, () => createPublicKey(pem));
  return { keyId: thumbprintOf(key), algorithm: readAlgorithm(option, key), key };
}

/**
 * Reads a private key: a JWK, PEM or a KeyObject. Its id is the one that is given, else the JWK's `kid`, else its thumbprint.
 * Throws an `OptionError` if it is not one, or of a kind that is not allowed.
 */
export function readPrivateKey(option: string, given: unknown, keyId: string | undefined): SessionKey {
  const key = readPrivateKeyObject(option, given);
  if (key.type !== "private") throw wrongOption(option, "a private key", key.type);
  const algorithm = readAlgorithm(option, key);
  const kid = keyId ?? (isJwk(given) ? given["kid"] : undefined) ?? thumbprintOf(createPublicKey(key));
  return { keyId: readKeyId("keyId", kid), algorithm, key };
}

function readPrivateKeyObject(option: string, given: unknown): KeyObject {
  if (given instanceof KeyObject) return given;
  if (isPem(given)) return readKey(option, () => createPrivateKey(Buffer.from(given)));
  if (isJwk(given)) return readKey(option, () => createPrivateKey({ key: given, format: "jwk" }));
  const expected = "an Ed25519 or P-256 key: a private JWK, PEM or a KeyObject";
  throw wrongOptionShown(option, expected, describeSecret(given), privateAdvice(given));
}

/** The SHA-256 of a public key, by which it can be named without asking anybody (RFC 7638). */
export function thumbprintOf(key: KeyObject): string {
  const { crv, kty, x, y } = key.export({ format: "jwk" });
  // The members of a kind of key, in the order of the alphabet.
  return createHash("sha256").update(JSON.stringify({ crv, kty, x, y })).digest("base64url");
}

function isJwk(given: unknown): given is JsonWebKey {
  return isOptions(given) && typeof given["kty"] === "string";
}

/** What to do about a public key in another form. */
export function publicAdvice(given: unknown): string {
  return given instanceof KeyObject ? 'its export({ format: "jwk" }) makes one; give it a kid' : "";
}

function privateAdvice(given: unknown): string {
  if (describeSecret(given) === "a CryptoKey") return "KeyObject.from(key) of node:crypto makes one";
  return typeof given === "string" ? "JSON.parse(text) makes one, if the text is a JWK" : "";
}

/** PEM is what OpenSSL writes, so it is what many have. */
export function isPem(given: unknown): given is string | Uint8Array {
  return (typeof given === "string" || types.isUint8Array(given)) && Buffer.from(given).includes("-----BEGIN ");
}

/** The reason why Node refuses a key is left out: it could quote it. */
function readKey(option: string, read: () => KeyObject): KeyObject {
  try {
    return read();
  } catch {
    throw wrongOptionShown(option, expectedKinds, "another");
  }
}

function readKeyId(option: string, keyId: unknown): string {
  if (typeof keyId === "string" && keyId.length > 0 && keyId.length <= 256) return keyId;
  const expected = "a text of 1 to 256 characters";
  throw keyId === undefined ? missingOption(option, expected) : wrongOption(option, expected, keyId);
}

function readAlgorithm(option: string, key: KeyObject): SignatureAlgorithm {
  if (key.asymmetricKeyType === "ed25519") return "EdDSA";
  if (key.asymmetricKeyType === "ec" && key.asymmetricKeyDetails?.namedCurve === "prime256v1") return "ES256";
  throw wrongOption(option, expectedKinds, key.asymmetricKeyType);
}
