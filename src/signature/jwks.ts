import { type FetchFailure, type FetchProblem, readFetchError } from "./fetch-failure.js";
import { readPublicKey, type SessionKey } from "./key.js";

/** A JWKS holds a handful of keys of 200 bytes. */
const maxBytes = 256 * 1024;
const maxKeys = 100;

/** At least one key, or why there is none. */
export type FetchedKeys = { readonly kind: "keys"; readonly keys: readonly SessionKey[] } | FetchFailure;

/**
 * Fetches the keys at this address. An answer without a key that can be used counts as a failure: then the keys known so far
 * are better. Never rejects.
 */
export async function fetchKeys(url: URL, signal: AbortSignal): Promise<FetchedKeys> {
  try {
    const response = await fetch(url, {
      signal,
      // A key is trusted because of where it came from.
      redirect: "manual",
      headers: { accept: "application/jwk-set+json, application/json" },
    });
    const { ok, status, body } = response;
    if (ok && body !== null) return readJwks(await readBody(body));
    // What nobody reads would hold its connection.
    await body?.cancel();
    const isRedirect = status >= 300 && status < 400;
    return { ...failure(isRedirect ? "redirected" : "wrong_status"), status };
  } catch (error) {
    return readFetchError(error);
  }
}

function failure(problem: FetchProblem): FetchFailure {
  return { kind: "failed", problem };
}

/** The whole text. Undefined if it is too large. */
async function readBody(body: AsyncIterable<Uint8Array>): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function readJwks(text: string | undefined): FetchedKeys {
  if (text === undefined) return failure("too_large");
  const json = parse(text);
  if (json === undefined) return failure("not_json");
  const { set } = json;
  const given: unknown = typeof set === "object" && set !== null && "keys" in set ? set.keys : undefined;
  if (!Array.isArray(given)) return failure("not_a_jwks");
  const keys = readKeys(given);
  return keys.length === 0 ? failure("no_usable_key") : { kind: "keys", keys };
}

function parse(text: string): { readonly set: unknown } | undefined {
  try {
    return { set: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** Keys for other purposes, and of kinds that are not allowed, are passed over: the set may be shared with others. */
function readKeys(given: readonly unknown[]): SessionKey[] {
  return given.slice(0, maxKeys).flatMap((jwk) => {
    try {
      return [readPublicKey("key", jwk)];
    } catch {
      return [];
    }
  });
}
