/** What a signature says of itself. Whoever shows it has not verified it. */
export interface ShownSignature {
  /** The `kid` of its key. Empty if it names none. */
  readonly keyId: string;
  /** The audiences that it is for. */
  readonly audiences: readonly string[];
  /** When it was made, in milliseconds since 1970. Undefined if it does not say so. */
  readonly issuedAtMs: number | undefined;
  /** Its own id, `jti`. Empty if it has none. */
  readonly id: string;
}

/** No signature of ours is as long. */
const maxCharacters = 4_096;
const maxAudiences = 8;

/**
 * Reads what a signature, a compact JWS, says of itself, to be shown beside what was found of it: a wrong audience or key is seen
 * at once. Undefined if it cannot be read. Never throws.
 */
export function readSignature(signature: string): ShownSignature | undefined {
  if (signature === "" || signature.length > maxCharacters) return undefined;
  const [header, payload] = signature.split(".", 2).map(partOf);
  if (header === undefined || payload === undefined) return undefined;
  const { kid } = header;
  const { aud, iat, jti } = payload;
  return {
    keyId: typeof kid === "string" ? kid : "",
    audiences: [aud]
      .flat()
      .filter((one) => typeof one === "string")
      .slice(0, maxAudiences),
    issuedAtMs: typeof iat === "number" ? iat * 1_000 : undefined,
    id: typeof jti === "string" ? jti : "",
  };
}

function partOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const part: unknown = JSON.parse(Buffer.from(text, "base64url").toString());
    return typeof part === "object" && part !== null ? { ...part } : undefined;
  } catch {
    // Not a JWS, or one that is cut.
    return undefined;
  }
}
