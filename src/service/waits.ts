import type { TroubleLog } from "../base/log.js";
import { inTime, tookTooLong } from "../base/timing.js";
import type { ServiceTrouble } from "./service-troubles.js";

/** What a marked call waits for before its handler runs: the verifier, and the `begin` of a durable publisher. */
export type AwaitedPart = "verifier" | "publisher";

/**
 * What does not answer the calls that wait for it.
 *
 * - `verifier_stalled`: the verifier did not answer the last call that waited for it, within 5 s
 * - `publisher_stalled`: the publisher's `begin` did not
 */
export type InterceptorProblem = "verifier_stalled" | "publisher_stalled";

/** What the calls of one interceptor wait for, and for how long at most. */
export interface Waits {
  /**
   * Resolves and rejects as the work does. What does not settle within 5 s is counted and reported, and this rejects with
   * `tookTooLong`: the call goes on without it.
   */
  answerOf<T>(part: AwaitedPart, work: Promise<T>, procedure: string): Promise<T>;
  /** How many calls went on without an answer. */
  stats(): Readonly<Partial<Record<AwaitedPart, number>>>;
  /** What does not answer at this moment. */
  problems(): readonly InterceptorProblem[];
}

const problemOf: Readonly<Record<AwaitedPart, InterceptorProblem>> = {
  verifier: "verifier_stalled",
  publisher: "publisher_stalled",
};

/** Creates the waits of one interceptor. */
export function createWaits(log: TroubleLog<ServiceTrouble>): Waits {
  const counts: Partial<Record<AwaitedPart, number>> = {};
  const stalled = new Set<AwaitedPart>();

  function giveUp(part: AwaitedPart, work: Promise<unknown>, procedure: string): void {
    counts[part] = (counts[part] ?? 0) + 1;
    stalled.add(part);
    const isBack = (): void => void stalled.delete(part);
    work.then(isBack, isBack);
    log.warn(problemOf[part], { procedure }, `the ${part} did not answer within 5 s: the call goes on without it`);
  }

  return {
    async answerOf(part, work, procedure) {
      try {
        const answer = await inTime(work);
        stalled.delete(part);
        return answer;
      } catch (error) {
        if (error === tookTooLong) giveUp(part, work, procedure);
        else stalled.delete(part);
        throw error;
      }
    },
    stats: () => ({ ...counts }),
    problems: () => [...stalled].map((part) => problemOf[part]),
  };
}
