import { errors, type JWTPayload, jwtVerify } from "jose";
import { milliseconds, type Option } from "../base/options.js";
import type { SignatureProblem, SignedMark } from "../contract/signed-mark.js";
import { claimsOf, type MarkClaims, maxSignatureLength, type SignatureAlgorithm, signatureType } from "./claims.js";
import type { SessionKeySet } from "./key-set.js";

/** What is asked of a signature besides that it holds. */
export interface CheckOptions {
  readonly keys: SessionKeySet;
  readonly algorithms: readonly SignatureAlgorithm[];
  /** Undefined allows any. */
  readonly audience: readonly string[] | undefined;
  readonly maxAgeMs: number;
  readonly clockSkewMs: number;
}

/** A signature that holds, and what it says. */
export interface CheckedSignature {
  readonly keyId: string;
  readonly claims: JWTPayload &
    MarkClaims & { readonly jti: string; readonly iat: number; readonly aud: string | string[] };
}

/** The public keys. */
export const keySetOption: Option<SessionKeySet> = {
  meaning: "The public keys of the gateways",
  expects: "a SessionKeySet, which createSessionKeySet makes",
  required: true,
  read: (value) => (isKeySet(value) ? value : undefined),
};

/** Whom signatures may be for. */
export const audienceOption: Option<readonly string[] | undefined> = {
  meaning: "The audience, or audiences, that signatures may be for",
  expects: "a text, or several in an array, none of them empty",
  defaultText: "any",
  read: (value) => readAudience([value].flat()),
};

function isKeySet(value: unknown): value is SessionKeySet {
  return typeof value === "object" && value !== null && "isStale" in value && typeof value.isStale === "function";
}

function readAudience(audiences: readonly unknown[]): readonly string[] | undefined {
  const texts = audiences.filter((one): one is string => typeof one === "string" && one !== "");
  return texts.length > 0 && texts.length === audiences.length ? texts : undefined;
}

/** How old a signature may be. Not 0: jose 6.0 takes that for no bound. */
export const maxAgeOption: Option<number> = milliseconds({
  meaning: "The age from which a signature counts as expired",
  byDefault: 60_000,
  min: 1,
});

/** How far clocks may be apart. */
export const clockSkewOption: Option<number> = milliseconds({
  meaning: "How far the clocks of gateway and service may be apart",
  byDefault: 10_000,
});

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
        ...(options.audience !== undefined && { audience: [...options.audience] }),
      },
    );
    const { jti, iat, aud } = payload;
    if (typeof jti !== "string" || iat === undefined || aud === undefined) return "signature_invalid";
    return { keyId: protectedHeader.kid ?? "", claims: { ...payload, jti, iat, aud } };
  } catch (error) {
    // A key that is not there may be one that the gateway has published since.
    if (error instanceof UnknownKey) return options.keys.isStale() ? "key_stale" : "key_unknown";
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
