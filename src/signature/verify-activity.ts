import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { SessionActivityEvent } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { type OptionsOf, readOptions } from "../base/options.js";
import type { SignatureProblem } from "../contract/signed-mark.js";
import { signatureAlgorithms } from "./claims.js";
import type { SessionKeySet } from "./key-set.js";
import {
  areClaimsOf,
  audienceOption,
  type CheckOptions,
  checkSignature,
  clockSkewOption,
  keySetOption,
  maxAgeOption,
} from "./signature-check.js";

/** What of an event is verified. */
export type SignedActivity = Pick<
  SessionActivityEvent,
  "action" | "encodedSessionContext" | "markSignature" | "procedure" | "startedAt"
>;

/** Options of {@link verifySessionActivity}. */
export interface SessionActivityVerificationOptions {
  /** The audience, or audiences, that the signature may be for. By default, any: the result says which. */
  audience?: string | readonly string[] | undefined;
  /** How long before the call the signature may have been made, in milliseconds. By default, 60,000. */
  maxAgeMs?: number | undefined;
  /** How far the clocks of gateway and service may be apart, in milliseconds. By default, 10,000. */
  clockSkewMs?: number | undefined;
}

const verificationTable: OptionsOf<Omit<CheckOptions, "algorithms">> = {
  keys: keySetOption,
  audience: audienceOption,
  maxAgeMs: maxAgeOption,
  clockSkewMs: clockSkewOption,
};

/** What a reader learns about an event. */
export type SessionActivityVerification =
  | {
      readonly verified: true;
      /** The same id on two events: a retry of the gateway's, or a replay. */
      readonly signatureId: string;
      readonly keyId: string;
      readonly issuedAt: Date;
      readonly audience: readonly string[];
      /** The label that the gateway gave. If it gave none, the action is the service's word. */
      readonly operation: string | undefined;
    }
  | { readonly verified: false; readonly problem: SignatureProblem | "context_missing" };

/**
 * Verifies an event by the signature that it holds, so that a reader need not take the service's word for it.
 *
 * The keys must include those of the time of the event. If the service records something else than the context
 * (`recordContext`), give the event with the context that the gateway sent, if it can be had. Never rejects but for
 * options that are wrong.
 */
export async function verifySessionActivity(
  event: SignedActivity,
  keys: SessionKeySet,
  options: SessionActivityVerificationOptions = {},
): Promise<SessionActivityVerification> {
  const checks = readOptions("verifySessionActivity", verificationTable, { ...options, keys });
  const { startedAt, markSignature, encodedSessionContext: context, procedure, action } = event;
  if (markSignature === "") return { verified: false, problem: "signature_missing" };
  if (context === "") return { verified: false, problem: "context_missing" };
  if (startedAt === undefined) return { verified: false, problem: "signature_invalid" };
  const checked = await checkSignature(markSignature, timestampDate(startedAt), {
    ...checks,
    algorithms: signatureAlgorithms,
  });
  if (typeof checked === "string") return { verified: false, problem: checked };
  const { jti, iat, aud, operation } = checked.claims;
  // Without a label that it believes, a service names the action by its schema, or by the procedure.
  const isActionSigned = operation === undefined || action === procedure || action === operation;
  if (!isActionSigned || !areClaimsOf({ context, operation, procedure }, checked.claims)) {
    return { verified: false, problem: "signature_invalid" };
  }
  return {
    verified: true,
    signatureId: jti,
    keyId: checked.keyId,
    issuedAt: new Date(iat * 1_000),
    audience: [aud].flat(),
    operation,
  };
}
