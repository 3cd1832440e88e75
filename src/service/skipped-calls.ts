import type { TroubleLog } from "../base/log.js";
import { procedureOf } from "../contract/procedure.js";
import type { Call } from "../outcome/caller.js";
import type { ServiceTrouble } from "./service-troubles.js";

/**
 * Why a call has no event.
 *
 * - `context_empty`: its mark says nothing about the session
 * - `refused`: the publisher refused the call, as it could not record it
 * - `publisher_error`: the publisher threw
 * - `too_many_unverified`: its mark is not valid, and there have been too many of those
 */
export type SkipReason = "context_empty" | "refused" | "publisher_error" | "too_many_unverified";

/** The calls that have no event. */
export interface SkippedCalls {
  /** Counts a call and reports it. The message must not hold anything of the session. */
  add(reason: SkipReason, call: Call, message: string): void;
  /** The counts at this moment. */
  stats(): Readonly<Partial<Record<SkipReason, number>>>;
}

/** Creates the counts of one interceptor. */
export function createSkippedCalls(log: TroubleLog<ServiceTrouble>): SkippedCalls {
  const counts: Partial<Record<SkipReason, number>> = {};
  return {
    add(reason, call, message) {
      counts[reason] = (counts[reason] ?? 0) + 1;
      log.warn(reason, { procedure: procedureOf(call.method) }, message);
    },
    stats: () => ({ ...counts }),
  };
}
