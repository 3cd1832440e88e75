import { createHash, randomUUID } from "node:crypto";
import type { SignedMark } from "../contract/signed-mark.js";

/** The `typ` of the signature's header: says that this is not a token for anything else. */
export const signatureType = "session-mark+jwt";

/** The algorithms of signatures. None with a shared secret, by which every verifier could sign. */
export type SignatureAlgorithm = "EdDSA" | "ES256";

export const signatureAlgorithms: readonly SignatureAlgorithm[] = ["EdDSA", "ES256"];

/** The largest signature that is looked at, in characters. Ours have about 480. */
export const maxSignatureLength = 2_048;

/** What a signature says of the mark that it belongs to. `aud`, `iat` and `jti` are those of RFC 7519. */
export interface MarkClaims {
  readonly procedure: string;
  /** Absent if the mark has no operation. */
  readonly operation?: string;
  /** SHA-256 of the value of x-session-context, in base64url without padding. */
  readonly context_sha256: string;
}

export function claimsOf(mark: SignedMark): MarkClaims {
  return {
    procedure: mark.procedure,
    ...(mark.operation !== undefined && { operation: mark.operation }),
    context_sha256: createHash("sha256").update(mark.context).digest("base64url"),
  };
}

/** A new id for a signature: tells a reader that two events come of one mark. */
export function createSignatureId(): string {
  return randomUUID();
}
