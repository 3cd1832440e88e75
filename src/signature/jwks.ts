import { readPublicKey, type SessionKey } from "./key.js";

/** A JWKS holds a handful of keys of 200 bytes. */
const maxBytes = 256 * 1024;
const maxKeys = 100;

/**
 * Fetches the keys at this address. Rejects if that fails, takes too long, or gives no key that can be used: then the
 * keys known so far are better.
 */
export async function fetchKeys(url: URL, signal: AbortSignal): Promise<SessionKey[]> {
  const response = await fetch(url, {
    signal,
    // A key is trusted because of where it came from.
    redirect: "error",
    headers: { accept: "application/jwk-set+json, application/json" },
  });
  if (!response.ok || response.body === null) throw new Error(`the answer has status ${response.status}`);
  const keys = readKeys(JSON.parse(await readBody(response.body)));
  if (keys.length === 0) throw new Error("the answer has no key that can be used");
  return keys;
}

async function readBody(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) throw new Error(`the answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Keys for other purposes, and of kinds that are not allowed, are passed over: the set may be shared with others. */
function readKeys(set: unknown): SessionKey[] {
  const keys: unknown = typeof set === "object" && set !== null && "keys" in set ? set.keys : undefined;
  if (!Array.isArray(keys)) throw new Error("the answer is not a valid JWKS");
  return keys.slice(0, maxKeys).flatMap((jwk: unknown) => {
    try {
      return [readPublicKey("key", jwk)];
    } catch {
      return [];
    }
  });
}
