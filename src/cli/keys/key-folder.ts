import { createPrivateKey, createPublicKey, generateKeyPairSync, type JsonWebKey, type KeyObject } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isOptions } from "../../base/options.js";
import type { SignatureAlgorithm } from "../../signature/claims.js";
import { thumbprintOf } from "../../signature/key.js";

/** A folder that holds a gateway's keys, old and new. */
export interface KeyFolder {
  readonly path: string;
  /** The private key that gateways sign with. */
  readonly signing: StoredKey;
  /** The private key that is published already, and signs next. */
  readonly next: StoredKey | undefined;
  /** The public keys that services take. */
  readonly published: readonly PublicJwk[];
  /** When these last changed. */
  readonly publishedAt: Date;
  /** The public keys that only readers of old events need. */
  readonly retired: readonly PublicJwk[];
}

/** A private key in its file. */
export interface StoredKey {
  readonly keyId: string;
  readonly jwk: JsonWebKey;
  /** Since when it has its place. */
  readonly since: Date;
}

/** A public key, as it is published. */
export type PublicJwk = JsonWebKey & { readonly kid: string };

/** The files of the folder. */
export const files = {
  signing: "signing-key.json",
  next: "next-key.json",
  published: "jwks.json",
  retired: "retired-jwks.json",
} as const;

/** Reads the folder. Answers undefined if it has no signing key. Throws if others can open it, or if a file is damaged. */
export function readKeyFolder(path: string): KeyFolder | undefined {
  if (!existsSync(join(path, files.signing))) return undefined;
  refuseOpenFolder(path);
  const published = join(path, files.published);
  return {
    path,
    signing: readKey(path, files.signing),
    next: existsSync(join(path, files.next)) ? readKey(path, files.next) : undefined,
    published: readSet(published),
    publishedAt: existsSync(published) ? statSync(published).mtime : new Date(),
    retired: readSet(join(path, files.retired)),
  };
}

/** Makes the folder, which only its owner can open. */
export function makeKeyFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  refuseOpenFolder(path);
}

/** Makes a private key. Its id is its thumbprint, so that no two keys have the same. */
export function makeKey(algorithm: SignatureAlgorithm): JsonWebKey {
  const { privateKey } =
    algorithm === "EdDSA" ? generateKeyPairSync("ed25519") : generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { ...privateKey.export({ format: "jwk" }), kid: thumbprintOf(createPublicKey(privateKey)) };
}

/** What is published of a private key. */
export function publicJwkOf({ keyId, jwk }: Pick<StoredKey, "keyId" | "jwk">): PublicJwk {
  const key: KeyObject = createPublicKey(createPrivateKey({ key: jwk, format: "jwk" }));
  const alg: SignatureAlgorithm = key.asymmetricKeyType === "ed25519" ? "EdDSA" : "ES256";
  return { ...key.export({ format: "jwk" }), kid: keyId, use: "sig", alg };
}

/** Writes a file of the folder: all of it, or nothing. Only the owner can read it. */
export function writeKeyFile(path: string, name: string, content: object): void {
  const aside = join(path, `${name}.${process.pid}`);
  writeFileSync(aside, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600, flag: "wx", flush: true });
  renameSync(aside, join(path, name));
}

/** Lets the next key sign. */
export function switchKeys(path: string): void {
  const now = new Date();
  utimesSync(join(path, files.next), now, now);
  renameSync(join(path, files.next), join(path, files.signing));
}

/** What was private is not, if others can open the folder. Windows has no such modes. */
function refuseOpenFolder(path: string): void {
  if (process.platform === "win32" || (statSync(path).mode & 0o077) === 0) return;
  throw new Error(`${path} can be opened by others. Run: chmod 700 ${path}`);
}

function readKey(path: string, name: string): StoredKey {
  const file = join(path, name);
  const jwk = parse(file);
  if (!isOptions(jwk) || typeof jwk["d"] !== "string" || typeof jwk["kid"] !== "string") {
    throw new Error(`${file} does not hold a private JWK with a kid`);
  }
  return { keyId: jwk["kid"], jwk, since: statSync(file).mtime };
}

function readSet(file: string): PublicJwk[] {
  if (!existsSync(file)) return [];
  const set = parse(file);
  if (!isOptions(set) || !Array.isArray(set["keys"])) throw new Error(`${file} does not hold a JWKS`);
  return set["keys"];
}

/** The reason is left out: it could quote a key. */
function parse(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    throw new Error(`${file} cannot be read as JSON`);
  }
}
