import type { SignatureProblem } from "./signed-mark.js";

/**
 * Why a call has no valid mark.
 *
 * - `missing`: the method must have a mark, and the call came without one
 * - the others: a signature is needed, and this one does not hold
 */
export type UnverifiedReason = "missing" | SignatureProblem;

/**
 * The values of an event's `context_problem`, beside the empty one, which says that nothing is wrong.
 *
 * - `too_large`: the context is over the service's `maxContextBytes`, and the event does not hold it. This value wins over
 *   the others: `context_verified` still says whether a signature held.
 * - the others: see {@link UnverifiedReason}
 */
export type ContextProblem = UnverifiedReason | "too_large";
