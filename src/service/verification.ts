import type { SessionActivityEvent } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import type { TroubleLog } from "../base/log.js";
import { inTime } from "../base/patience.js";
import { readTraceparent, type SessionMark, sessionHeaders } from "../contract/headers.js";
import { procedureOf } from "../contract/procedure.js";
import { sessionContextKey } from "../contract/session-context.js";
import type { SessionVerifier, SignatureProblem } from "../contract/signed-mark.js";
import type { Call } from "../outcome/caller.js";
import { createQuota } from "./quota.js";

/** Why a call has no valid mark: it must have one and has none, or its signature does not hold. */
export type UnverifiedReason = "missing" | SignatureProblem;

export interface VerificationOptions {
  /** The procedures whose calls must have a mark. */
  readonly required: ReadonlySet<string>;
  readonly verify: SessionVerifier | undefined;
  readonly maxUnverifiedPerMinute: number;
}

const problems: ReadonlySet<SignatureProblem> = new Set<SignatureProblem>([
  "signature_missing",
  "signature_invalid",
  "signature_expired",
  "key_unknown",
]);

/** Tells genuine marks from others. What it finds goes into the event: it is evidence, and no call is refused for it. */
export interface Verification {
  /**
   * For a call without a mark: what stands for the mark where the call must have one, else undefined. Where contexts without
   * a mark are not believed, it takes that of the call away.
   */
  markInstead(call: Call): SessionMark | undefined;
  /**
   * Judges the mark of a call, and completes the event. False where the mark is not valid and there have been too many of
   * those: the call then has no event. A promise where there is a signature to verify; it never rejects.
   */
  judge(event: SessionActivityEvent, mark: SessionMark, call: Call): boolean | Promise<boolean>;
  stats(): { readonly verified: number; readonly unverified: Readonly<Partial<Record<UnverifiedReason, number>>> };
}

/** Creates the verification that the options ask for: none where they ask for nothing. */
export function createVerification(options: VerificationOptions, log: TroubleLog): Verification | undefined {
  const { required, verify: verifier } = options;
  if (required.size === 0 && verifier === undefined) return undefined;
  // One each: those who forge marks cannot use up what shows calls whose mark was taken away.
  const forged = createQuota(options.maxUnverifiedPerMinute);
  const missing = createQuota(options.maxUnverifiedPerMinute);
  const unverified: Partial<Record<UnverifiedReason, number>> = {};
  let verified = 0;

  function doubt(reason: UnverifiedReason, event: SessionActivityEvent): boolean {
    unverified[reason] = (unverified[reason] ?? 0) + 1;
    log.warn(reason, { procedure: event.procedure, reason }, "a call came without a valid session mark");
    event.action = event.procedure;
    // An event without its context says so first.
    if (event.contextProblem === "") event.contextProblem = reason;
    return (reason === "missing" ? missing : forged).take();
  }

  async function verifyMark(event: SessionActivityEvent, mark: SessionMark, call: Call): Promise<boolean> {
    const { action, contextProblem } = event;
    // A shutdown may publish the event meanwhile, and what was not found to hold does not hold.
    event.action = event.procedure;
    if (contextProblem === "") event.contextProblem = "signature_invalid";
    const problem = await problemOf(mark, event.procedure);
    if (problem !== undefined) {
      // Neither the handler nor a downstream service sees a context that is not believed.
      call.header.delete(sessionHeaders.context);
      call.contextValues.delete(sessionContextKey);
    }
    if (isPublished(event)) return true;
    event.contextProblem = contextProblem;
    if (problem !== undefined) return doubt(problem, event);
    verified += 1;
    event.action = action;
    event.contextVerified = true;
    return true;
  }

  async function problemOf(mark: SessionMark, procedure: string): Promise<SignatureProblem | undefined> {
    if (mark.signature === "") return mark.hasSignature ? "signature_invalid" : "signature_missing";
    const { context, operation, signature } = mark;
    try {
      const problem = await inTime(Promise.resolve(verifier?.verify({ context, operation, procedure }, signature)));
      if (problem === undefined || problems.has(problem)) return problem;
    } catch {
      // It threw or took too long. The error could quote the context.
    }
    log.warn("verifier", { procedure }, "the verifier threw, took too long or gave no answer, against its contract");
    return "signature_invalid";
  }

  return {
    markInstead(call) {
      if (verifier?.unmarked === "drop") call.header.delete(sessionHeaders.context);
      if (required.size === 0 || !required.has(procedureOf(call.method))) return undefined;
      const traceparent = readTraceparent(call.header);
      return { context: "", operation: undefined, signature: "", hasSignature: false, traceparent };
    },
    judge(event, mark, call) {
      if (mark.context === "") return doubt("missing", event);
      return verifier === undefined || verifyMark(event, mark, call);
    },
    stats: () => ({ verified, unverified }),
  };
}

/** Events get their number when they are published. */
function isPublished(event: SessionActivityEvent): boolean {
  return event.sequence > 0n;
}
