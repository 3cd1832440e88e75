import { createPrivateKey, createPublicKey, type JsonWebKey, KeyObject } from "node:crypto";
import { wrongOption } from "../base/option-error.js";
import type { SignatureAlgorithm } from "./claims.js";

/** A key that can be found by its id, and the one algorithm that it is for. */
export interface SessionKey {
  readonly keyId: string;
  readonly algorithm: SignatureAlgorithm;
  readonly key: KeyObject;
}

const expectedKinds = "an Ed25519 or P-256 key";

/** Reads a public key. Throws a TypeError that names the option where it is none, or of a kind that is not allowed. */
export function readPublicKey(option: string, jwk: JsonWebKey): SessionKey {
  // oct would be a shared secret, and a verifier that holds a private key could forge.
  if (typeof jwk !== "object" || jwk === null || "d" in jwk || "k" in jwk) {
    throw wrongOption(option, "a public JWK, without private parts", jwk, adviceOf(jwk));
  }
  const { kid, use, alg } = jwk;
  if (use !== undefined && use !== "sig") throw wrongOption(`${option}.use`, '"sig", or absent', use);
  const key = readKey(option, () => createPublicKey({ key: jwk, format: "jwk" }));
  const algorithm = readAlgorithm(option, key);
  if (alg !== undefined && alg !== algorithm && !(alg === "Ed25519" && algorithm === "EdDSA")) {
    throw wrongOption(`${option}.alg`, `"${algorithm}", or absent`, alg);
  }
  return { keyId: readKeyId(`${option}.kid`, kid), algorithm, key };
}

/** Reads a private key. Throws a TypeError that names the option where it is none, or of a kind that is not allowed. */
export function readPrivateKey(given: JsonWebKey | KeyObject, keyId: string | undefined): SessionKey {
  const key = readKey("key", () =>
    given instanceof KeyObject ? given : createPrivateKey({ key: given, format: "jwk" }),
  );
  if (key.type !== "private") throw wrongOption("key", "a private key", key.type);
  const kid = keyId ?? (given instanceof KeyObject ? undefined : given["kid"]);
  return { keyId: readKeyId("keyId", kid), algorithm: readAlgorithm("key", key), key };
}

/** PEM is what OpenSSL writes, so it is what many have. */
function adviceOf(given: unknown): string {
  const isPem = typeof given === "string" && given.includes("-----BEGIN ");
  return isPem ? 'createPublicKey(pem).export({ format: "jwk" }) of node:crypto makes one; give it a kid' : "";
}

/** The reason why Node refuses a key is left out: it could quote it. */
function readKey(option: string, read: () => KeyObject): KeyObject {
  try {
    return read();
  } catch {
    throw wrongOption(option, expectedKinds, "another");
  }
}

function readKeyId(option: string, keyId: unknown): string {
  if (typeof keyId === "string" && keyId.length > 0 && keyId.length <= 256) return keyId;
  throw wrongOption(option, "a string of 1 to 256 characters", keyId);
}

function readAlgorithm(option: string, key: KeyObject): SignatureAlgorithm {
  if (key.asymmetricKeyType === "ed25519") return "EdDSA";
  if (key.asymmetricKeyType === "ec" && key.asymmetricKeyDetails?.namedCurve === "prime256v1") return "ES256";
  throw wrongOption(option, expectedKinds, key.asymmetricKeyType);
}
