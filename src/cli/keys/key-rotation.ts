import type { SignatureAlgorithm } from "../../signature/claims.js";
import {
  files,
  type KeyFolder,
  makeKey,
  makeKeyFolder,
  type PublicJwk,
  publicJwkOf,
  readKeyFolder,
  switchKeys,
  writeKeyFile,
} from "./key-folder.js";

/** What a step of a rotation did. */
export type RotationStep =
  /** There is a new key beside the old one: publish both. */
  | { readonly kind: "published" }
  /** The new key signs: give it to the gateways. */
  | { readonly kind: "switched" }
  /** The old key is no longer published. */
  | { readonly kind: "retired" }
  /** It is too early for the next step. */
  | { readonly kind: "early"; readonly waitMs: number; readonly why: string };

/** Services fetch the JWKS every 5 minutes. */
const fetchedMs = 300_000;
/** Signatures hold for 70 s. The rest is for gateways that start one after another. */
const expiredMs = 120_000;

/** Makes a folder with a first key. Throws if there is one already: services would not know the new key yet. */
export function createKeys(path: string, algorithm: SignatureAlgorithm): KeyFolder {
  if (readKeyFolder(path) !== undefined) {
    throw new Error(
      `${path} has a signing key already. To change it, run: npx session-activity keys rotate --folder ${path}`,
    );
  }
  makeKeyFolder(path);
  const key = keyFileOf(algorithm);
  publish(path, [publicJwkOf(key)]);
  // Last: whoever finds it finds the rest.
  writeKeyFile(path, files.signing, key.jwk);
  return existingKeys(path);
}

/** Reads a folder that must be there. */
export function existingKeys(path: string): KeyFolder {
  const folder = readKeyFolder(path);
  if (folder !== undefined) return folder;
  throw new Error(`${path} has no signing key. To make one, run: npx session-activity keys create --folder ${path}`);
}

/**
 * Takes the next step of a rotation: publish a new key, sign with it, take the old one away. Between them, services must have
 * fetched the new key, and signatures by the old one must have expired; `isForced` is for who knows that they have.
 *
 * A run that was cut off is taken up where it was: each step writes what it needs before what others see.
 */
export function rotateKeys(path: string, options: { readonly isForced: boolean; readonly now?: Date }): RotationStep {
  const folder = existingKeys(path);
  const { signing, next, published } = folder;
  const now = (options.now ?? new Date()).getTime();
  if (next !== undefined) {
    if (!isPublished(folder, next.keyId)) return publishBeside(folder, publicJwkOf(next));
    const waitMs = folder.publishedAt.getTime() + fetchedMs - now;
    if (waitMs > 0 && !options.isForced) return { kind: "early", waitMs, why: "services fetch the new key until then" };
    switchKeys(path);
    return { kind: "switched" };
  }
  const old = published.filter(({ kid }) => kid !== signing.keyId);
  if (old.length > 0) {
    const waitMs = signing.since.getTime() + expiredMs - now;
    if (waitMs > 0 && !options.isForced) return { kind: "early", waitMs, why: "marks by the old key hold until then" };
    return retire(folder, old);
  }
  const key = keyFileOf(publicJwkOf(signing)["alg"] === "ES256" ? "ES256" : "EdDSA");
  writeKeyFile(path, files.next, key.jwk);
  return publishBeside(folder, publicJwkOf(key));
}

function publishBeside({ path, published }: KeyFolder, key: PublicJwk): RotationStep {
  publish(path, [...published, key]);
  return { kind: "published" };
}

function retire({ path, retired, published, signing }: KeyFolder, old: readonly PublicJwk[]): RotationStep {
  const known = new Set(retired.map(({ kid }) => kid));
  writeKeyFile(path, files.retired, { keys: [...retired, ...old.filter(({ kid }) => !known.has(kid))] });
  publish(
    path,
    published.filter(({ kid }) => kid === signing.keyId),
  );
  return { kind: "retired" };
}

function isPublished({ published }: KeyFolder, keyId: string): boolean {
  return published.some(({ kid }) => kid === keyId);
}

function publish(path: string, keys: readonly PublicJwk[]): void {
  writeKeyFile(path, files.published, { keys });
}

function keyFileOf(algorithm: SignatureAlgorithm) {
  const jwk = makeKey(algorithm);
  return { keyId: String(jwk["kid"]), jwk };
}
