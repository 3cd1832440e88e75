import { createPrivateKey, createPublicKey, type JsonWebKey, KeyObject } from "node:crypto";
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

/** Reads a private key. Throws an `OptionError` if it is not one, or of a kind that is not allowed. */
export function readPrivateKey(given: unknown, keyId: string | undefined): SessionKey {
  if (!(given instanceof KeyObject) && !isJwk(given)) {
    const expected = "an Ed25519 or P-256 key, a private JWK or a KeyObject";
    throw wrongOptionShown("key", expected, describeSecret(given), privateAdvice(given));
  }
  const key =
    given instanceof KeyObject ? given : readKey("key", () => createPrivateKey({ key: given, format: "jwk" }));
  if (key.type !== "private") throw wrongOption("key", "a private key", key.type);
  const kid = keyId ?? (given instanceof KeyObject ? undefined : given["kid"]);
  return { keyId: readKeyId("keyId", kid), algorithm: readAlgorithm("key", key), key };
}

function isJwk(given: unknown): given is JsonWebKey {
  return isOptions(given) && typeof given["kty"] === "string";
}

/** PEM is what OpenSSL writes, so it is what many have. */
export function publicAdvice(given: unknown): string {
  if (isPem(given)) return 'createPublicKey(pem).export({ format: "jwk" }) of node:crypto makes one; give it a kid';
  return given instanceof KeyObject ? 'its export({ format: "jwk" }) makes one; give it a kid' : "";
}

function privateAdvice(given: unknown): string {
  if (isPem(given)) return "createPrivateKey(pem) of node:crypto makes one";
  if (describeSecret(given) === "a CryptoKey") return "KeyObject.from(key) of node:crypto makes one";
  return typeof given === "string" ? "JSON.parse(text) makes one, if the text is a JWK" : "";
}

function isPem(given: unknown): boolean {
  return (typeof given === "string" || types.isUint8Array(given)) && String(given).includes("-----BEGIN ");
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
