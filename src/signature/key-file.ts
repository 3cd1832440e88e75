import { readFileSync } from "node:fs";
import { describeSecret, wrongOptionShown } from "../base/option-error.js";
import { isOptions } from "../base/options.js";
import { isPem, readPrivateKey, readPublicKey, readPublicPem, type SessionKey } from "./key.js";

/** A file of keys has a few hundred bytes for each. */
const maxLength = 256 * 1024;

/** Reads a file that holds one private key, as PEM or JWK. Throws an `OptionError` that does not quote it. */
export function readPrivateKeyFile(option: string, path: string, keyId: string | undefined): SessionKey {
  return readPrivateKey(option, readKeys(option, path, "a file with one private key, as PEM or JWK"), keyId);
}

/** Reads a file that holds public keys: a JWKS, a JWK or PEM. Throws an `OptionError` for the first that is not one. */
export function readPublicKeyFile(option: string, path: string): SessionKey[] {
  const given = readKeys(option, path, "a file with public keys, as JWKS, JWK or PEM");
  const list = isOptions(given) && Array.isArray(given["keys"]) ? given["keys"] : [given];
  if (list.length === 0) throw wrongOptionShown(option, "a file with at least one public key", "an empty JWKS");
  return list.map((one: unknown, i) => readGivenKey(list.length > 1 ? `${option}[${i}]` : option, one));
}

/** Reads a public key as code gives it: a JWK, or PEM. */
export function readGivenKey(option: string, given: unknown): SessionKey {
  return isPem(given) ? readPublicPem(option, Buffer.from(given).toString()) : readPublicKey(option, given);
}

/** What a file holds: PEM as text, or what its JSON says. */
function readKeys(option: string, path: string, expected: string): unknown {
  const text = readFileSync(path, "utf8");
  if (text.length > maxLength) throw wrongOptionShown(option, expected, `one of ${text.length} characters`);
  if (isPem(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    throw wrongOptionShown(option, expected, `one with ${describeSecret(text)} that is neither`);
  }
}
