import { errors, type JWTPayload, jwtVerify } from "jose";
import { readMs, wrongOption } from "../base/option-checks.js";
import type { SignatureProblem, SignedMark } from "../contract/signed-mark.js";
import { claimsOf, type MarkClaims, maxSignatureLength, type SignatureAlgorithm, signatureType } from "./claims.js";
import type { SessionKeySet } from "./key-set.js";

/** What is asked of a signature besides that it holds. */
export interface CheckOptions {
  readonly keys: SessionKeySet;
  readonly algorithms: readonly SignatureAlgorithm[];
  /** Undefined allows any. */
  readonly audience: string | readonly string[] | undefined;
  readonly maxAgeMs: number;
  readonly clockSkewMs: number;
}

/** A signature that holds, and what it says. */
export interface CheckedSignature {
  readonly keyId: string;
  readonly claims: JWTPayload &
    MarkClaims & { readonly jti: string; readonly iat: number; readonly aud: string | string[] };
}

/** Checks the age allowed. Not 0: jose 6.0 takes that for no bound. */
export function readMaxAge(maxAgeMs: number | undefined): number {
  const read = readMs("maxAgeMs", maxAgeMs, 60_000);
  if (read < 1) throw wrongOption("maxAgeMs", "at least 1", read);
  return read;
}

class UnknownKey extends Error {}

/** Checks a signature at a moment. Resolves to what it says, or to what is wrong with it. Never rejects. */
export async function checkSignature(
  signature: string,
  at: Date,
  options: CheckOptions,
): Promise<CheckedSignature | SignatureProblem> {
  if (signature === "") return "signature_missing";
  if (signature.length > maxSignatureLength) return "signature_invalid";
  try {
    const { payload, protectedHeader } = await jwtVerify<MarkClaims>(
      signature,
      ({ kid, alg }) => keyFor(options.keys, kid, alg),
      {
        algorithms: [...options.algorithms],
        typ: signatureType,
        requiredClaims: ["aud", "jti"],
        maxTokenAge: options.maxAgeMs / 1_000,
        clockTolerance: options.clockSkewMs / 1_000,
        currentDate: at,
        ...(options.audience !== undefined && { audience: [options.audience].flat() }),
      },
    );
    const { jti, iat, aud } = payload;
    if (typeof jti !== "string" || iat === undefined || aud === undefined) return "signature_invalid";
    return { keyId: protectedHeader.kid ?? "", claims: { ...payload, jti, iat, aud } };
  } catch (error) {
    if (error instanceof UnknownKey) return "key_unknown";
    return error instanceof errors.JWTExpired ? "signature_expired" : "signature_invalid";
  }
}

/** Whether these claims are about this mark. */
export function areClaimsOf(mark: SignedMark, claims: MarkClaims): boolean {
  const expected = claimsOf(mark);
  return (
    claims.procedure === expected.procedure &&
    claims.operation === expected.operation &&
    claims.context_sha256 === expected.context_sha256
  );
}

function keyFor(keys: SessionKeySet, kid: string | undefined, alg: string | undefined) {
  const found = typeof kid === "string" ? keys.find(kid) : undefined;
  if (found === undefined) throw new UnknownKey();
  // The key says which algorithm it is for, not the signature.
  if (found.algorithm !== alg) throw new Error("the key is for another algorithm");
  return found.key;
}
