import type { TroubleLog } from "../base/log.js";
import { tookTooLong } from "../base/timing.js";
import type { UnverifiedReason } from "../contract/context-problem.js";
import { sessionHeaders } from "../contract/headers.js";
import type { GatewayMark, Mark } from "../contract/mark.js";
import { procedureOf } from "../contract/procedure.js";
import { sessionContextKey, sessionContextVerifiedKey } from "../contract/session-context.js";
import type { SessionVerifier, SignatureProblem } from "../contract/signed-mark.js";
import type { Call } from "../outcome/caller.js";
import { createQuota, type Quota } from "./quota.js";
import type { RequiredMethods } from "./required-methods.js";
import type { ServiceTrouble } from "./service-troubles.js";
import type { Waits } from "./waits.js";

/**
 * What the mark of a tracked call is worth.
 *
 * - `believed`: the service does not verify marks
 * - `verified`: the signature holds
 * - `doubted`: the call must have a mark and has none, or the signature does not hold. It is not `admitted` if there have been
 *   too many of those: then it has no event.
 */
export type Judgement =
  | { readonly kind: "believed" }
  | { readonly kind: "verified" }
  | { readonly kind: "doubted"; readonly reason: UnverifiedReason; readonly admitted: boolean };

/** A judgement that takes time, since there is a signature to verify. */
export interface PendingJudgement {
  readonly kind: "pending";
  /** Resolves when the verifier has answered: always to the one judgement that the call has. Never rejects. */
  readonly settled: Promise<Judgement>;
  /**
   * Judges now. What was not found to hold does not hold: the judgement is `signature_invalid`, unless the verifier has
   * answered before. What the verifier answers later still decides whether the handler sees the context, and nothing else.
   */
  cutShort(): Judgement;
}

/** What is wrong with a mark, for the log line about it. */
const whatIsWrong: Readonly<Record<UnverifiedReason, string>> = {
  missing: "its method requires a mark, and it has none, or one without a session context",
  signature_missing: "the mark has no signature: does the gateway sign?",
  signature_invalid: "the signature does not hold for this call: do key and audience match the gateway's?",
  signature_expired: "the signature is too old: do the clocks of gateway and service agree?",
  key_unknown: "the service does not have the key that signed it: is that key in the JWKS?",
  key_stale: "the keys could not be fetched for longer than maxStaleMs: can the JWKS be reached?",
};

/** The call has no mark and needs none. */
export interface Untracked {
  readonly kind: "untracked";
}

/** Tells genuine marks from others. What it finds goes into the event: it is evidence, and no call is refused for it. */
export interface Judge {
  /**
   * Judges a call by its mark. Decides, too, what the handler sees of the session: a context that does not hold is taken away
   * from it and from downstream services.
   */
  judge(mark: Mark, call: Call): Untracked | Judgement | PendingJudgement;
  /** The counts at this moment. */
  stats(): JudgeStats;
}

/** How many calls were judged so. */
export interface JudgeStats {
  readonly droppedContexts: number;
  readonly verified: number;
  readonly unverified: Readonly<Partial<Record<UnverifiedReason, number>>>;
}

/** What a judge needs to know of the service. */
export interface JudgeOptions {
  readonly required: RequiredMethods;
  readonly verify: SessionVerifier | undefined;
  readonly maxUnverifiedPerMinute: number;
}

// One of each for all calls.
const untracked: Untracked = { kind: "untracked" };
const believed: Judgement = { kind: "believed" };
const verified: Judgement = { kind: "verified" };

/** Creates the judge of one interceptor. */
export function createJudge(options: JudgeOptions, waits: Waits, log: TroubleLog<ServiceTrouble>): Judge {
  const { required, verify: verifier } = options;
  const findings = new Findings(options.maxUnverifiedPerMinute, log);

  function judgeUnmarked(call: Call): Untracked | Judgement {
    const context = call.header.get(sessionHeaders.context);
    if (context !== null && verifier?.unmarked === "drop") {
      takeContextAway(call);
      findings.dropContext(call);
    } else if (context) {
      call.contextValues.set(sessionContextKey, context);
      // Values that a service wrongly gives to two calls must not lend one call's verification to the other.
      call.contextValues.delete(sessionContextVerifiedKey);
    }
    return required.has(call.method) ? findings.doubt("missing", procedureOf(call.method)) : untracked;
  }

  return {
    judge(mark, call) {
      if (mark.kind !== "marked") return judgeUnmarked(call);
      call.contextValues.set(sessionContextKey, mark.context);
      if (verifier === undefined) return believed;
      if (mark.signature !== "") return new Verification({ verifier, waits, log }, mark, call, findings);
      takeContextAway(call);
      return findings.doubt(mark.hasSignature ? "signature_invalid" : "signature_missing", procedureOf(call.method));
    },
    stats: () => findings.stats(),
  };
}

/** Neither the handler nor a downstream service sees a context that is not believed. */
function takeContextAway(call: Call): void {
  call.header.delete(sessionHeaders.context);
  call.contextValues.delete(sessionContextKey);
  call.contextValues.delete(sessionContextVerifiedKey);
}

/** Counts what was found, each call once, and gives the judgement that follows from it. */
class Findings {
  readonly #log: TroubleLog<ServiceTrouble>;
  // One each: those who forge marks cannot use up what shows calls whose mark was taken away.
  readonly #forged: Quota;
  readonly #missing: Quota;
  readonly #unverified: Partial<Record<UnverifiedReason, number>> = {};
  #verified = 0;
  #droppedContexts = 0;

  constructor(maxUnverifiedPerMinute: number, log: TroubleLog<ServiceTrouble>) {
    this.#log = log;
    this.#forged = createQuota(maxUnverifiedPerMinute);
    this.#missing = createQuota(maxUnverifiedPerMinute);
  }

  verify(): Judgement {
    this.#verified += 1;
    return verified;
  }

  dropContext(call: Call): void {
    this.#droppedContexts += 1;
    const message =
      'a session context came without a mark and was dropped: if this service is called through a relay, give its verifier unmarked: "keep"';
    this.#log.warn("context_dropped", { procedure: procedureOf(call.method) }, message);
  }

  doubt(reason: UnverifiedReason, procedure: string): Judgement {
    this.#count(reason);
    this.#log.warn(reason, { procedure, reason }, `a call came without a valid session mark: ${whatIsWrong[reason]}`);
    return { kind: "doubted", reason, admitted: (reason === "missing" ? this.#missing : this.#forged).take() };
  }

  /** No quota holds this back and no log reports it: it is the end of the service, and probably not a forged mark. */
  doubtUnproven(): Judgement {
    this.#count("signature_invalid");
    return { kind: "doubted", reason: "signature_invalid", admitted: true };
  }

  stats(): JudgeStats {
    return {
      verified: this.#verified,
      unverified: { ...this.#unverified },
      droppedContexts: this.#droppedContexts,
    };
  }

  #count(reason: UnverifiedReason): void {
    this.#unverified[reason] = (this.#unverified[reason] ?? 0) + 1;
  }
}

/** A verifier, and what guards its contract. */
interface GuardedVerifier {
  readonly verifier: SessionVerifier;
  readonly waits: Waits;
  readonly log: TroubleLog<ServiceTrouble>;
}

class Verification implements PendingJudgement {
  readonly kind = "pending";
  readonly settled: Promise<Judgement>;
  readonly #findings: Findings;
  #judgement: Judgement | undefined;

  constructor(guarded: GuardedVerifier, mark: GatewayMark, call: Call, findings: Findings) {
    this.#findings = findings;
    this.settled = this.#settle(guarded, mark, call);
  }

  cutShort(): Judgement {
    this.#judgement ??= this.#findings.doubtUnproven();
    return this.#judgement;
  }

  async #settle(guarded: GuardedVerifier, mark: GatewayMark, call: Call): Promise<Judgement> {
    const procedure = procedureOf(call.method);
    const problem = await verify(guarded, mark, procedure);
    if (problem === undefined) call.contextValues.set(sessionContextVerifiedKey, true);
    else takeContextAway(call);
    this.#judgement ??= problem === undefined ? this.#findings.verify() : this.#findings.doubt(problem, procedure);
    return this.#judgement;
  }
}

const problems: ReadonlySet<SignatureProblem> = new Set<SignatureProblem>([
  "signature_missing",
  "signature_invalid",
  "signature_expired",
  "key_unknown",
  "key_stale",
]);

/** Asks the verifier, and guards its contract. Resolves to undefined if the signature holds, and never rejects. */
async function verify(
  { verifier, waits, log }: GuardedVerifier,
  { context, operation, signature }: GatewayMark,
  procedure: string,
): Promise<SignatureProblem | undefined> {
  try {
    const answer = Promise.resolve(verifier.verify({ context, operation, procedure }, signature));
    const problem = await waits.answerOf("verifier", answer, procedure);
    if (problem === undefined || problems.has(problem)) return problem;
  } catch (error) {
    // Another error could quote the context.
    if (error === tookTooLong) return "signature_invalid";
  }
  log.warn("verifier", { procedure }, "the verifier threw or gave no answer, against its contract");
  return "signature_invalid";
}
