import { randomUUID } from "node:crypto";
import type { ContextValues, Interceptor } from "@connectrpc/connect";
import { sumOf } from "../base/counts.js";
import { createTroubleLog } from "../base/log.js";
import { milliseconds, readOptions } from "../base/options.js";
import type { UnverifiedReason } from "../contract/context-problem.js";
import { stripMark } from "../contract/headers.js";
import { readMark } from "../contract/mark.js";
import { procedureOf } from "../contract/procedure.js";
import type { ActivityStatus } from "../contract/status.js";
import type { Answer, Call, Next } from "../outcome/caller.js";
import type { KnownShutdown } from "../outcome/caller-by-signal.js";
import type { NodeRequest } from "../outcome/exchange.js";
import { trackedCallKey } from "./annotation.js";
import { type Arrivals, createArrivals } from "./arrivals.js";
import { createContextRecorder } from "./context-recorder.js";
import { createGuardedPublisher, type GuardedPublisher } from "./guarded-publisher.js";
import {
  type InterceptorSettings,
  interceptorSettings,
  type SessionActivityInterceptorOptions,
  unknownService,
} from "./interceptor-options.js";
import { createJudge } from "./judge.js";
import { createOpenCalls } from "./open-calls.js";
import { createRequiredMethods, type RequiredMethods } from "./required-methods.js";
import type { ServiceTrouble } from "./service-troubles.js";
import { Shutdown } from "./shutdown.js";
import { createSkippedCalls, type SkipReason } from "./skipped-calls.js";
import { type Tracking, trackCall } from "./tracked-call.js";
import { type AwaitedPart, createWaits, type InterceptorProblem } from "./waits.js";

/** Counts of an interceptor since its creation. */
export interface InterceptorStats {
  /** Marked or required calls that run and whose event is not published yet. */
  readonly open: number;
  /** For how long the oldest of them has been in hand, in milliseconds. 0 if none is. */
  readonly oldestInHandMs: number;
  /** Calls that have an event, or that the publisher refused. */
  readonly tracked: number;
  /** Events by their status. */
  readonly byStatus: Readonly<Partial<Record<ActivityStatus, number>>>;
  /** Marked calls that Node received and the interceptor never saw. Counted if `contextValues` is installed. */
  readonly bypassed: number;
  /** Marked calls whose caller left before its request was complete. Counted if `contextValues` is installed. */
  readonly leftEarly: number;
  /** Events whose `status_inferred` is set. */
  readonly inferred: number;
  /** The same by their status: `byStatus` counts these, too. */
  readonly inferredByStatus: Readonly<Partial<Record<ActivityStatus, number>>>;
  /** Marked or required calls without an event, by reason. */
  readonly skipped: Readonly<Partial<Record<SkipReason, number>>>;
  /** Events that were dropped because there is no publisher. */
  readonly dropped: number;
  /** Marked calls whose signature held. */
  readonly verified: number;
  /** Calls without a valid mark that need one, by reason, whether they have an event or not. */
  readonly unverified: Readonly<Partial<Record<UnverifiedReason, number>>>;
  /** Calls without a mark whose session context was not handed on, since the verifier says `unmarked: "drop"`. */
  readonly droppedContexts: number;
  /** Calls that went on after 5 s without the answer that they waited for, by who did not give it. */
  readonly stalled: Readonly<Partial<Record<AwaitedPart, number>>>;
  /** Events without the context, because `recordContext` failed. */
  readonly unrecordedContexts: number;
}

/** The interceptor, with what else it offers to the service that runs it. */
export type SessionActivityInterceptor = Interceptor & {
  /**
   * Give this function to the adapter as its `contextValues`. It needs no `this`. It lets the interceptor see when a caller
   * left, and count the marked calls that never reached it. It takes Node's request, or fastify's, and gives the values of
   * the call. It never throws.
   *
   * A service that sets values itself passes them as the second argument: new ones for each call.
   *
   * @example connectNodeAdapter({ routes, interceptors: [interceptor], contextValues: interceptor.contextValues })
   * @example contextValues: (request) => interceptor.contextValues(request, createContextValues().set(key, value))
   */
  readonly contextValues: (request: NodeRequest | { raw: NodeRequest }, values?: ContextValues) => ContextValues;
  /** The counts at this moment. */
  stats(): InterceptorStats;
  /** What does not answer the calls that wait for it. It is gone when a call is answered again. */
  problems(): readonly InterceptorProblem[];
  /**
   * Resolves when no tracked call is open. After `timeoutMs` milliseconds, the events of those that still are get published
   * with what is known: the status `UNSETTLED`, or the caller's if the caller has left. Those calls run on, and nothing they
   * do changes their events. Rejects with a TypeError if `timeoutMs` is not a duration from 0 to 2,147,483,647.
   */
  drain(timeoutMs: number): Promise<void>;
};

/**
 * Creates the interceptor that publishes an event for each call that a gateway marked.
 *
 * Put it first: an interceptor before it that changes the outcome is not seen. Options given to a single service in
 * `router.service(…, { interceptors })` replace those of the router, so name it there, too.
 *
 * It writes no run records, so that no reader can tell whether the last events are there. The `interceptor` of
 * `startSessionTracking` is the same one, and has its run recorded.
 *
 * Throws a TypeError if an option is wrong. On calls it never throws and never waits.
 */
export function createSessionActivityInterceptor(
  options: SessionActivityInterceptorOptions,
): SessionActivityInterceptor {
  return buildInterceptor(interceptorSettings(options));
}

/** The interceptor, with what only this package calls. */
export type BuiltInterceptor = SessionActivityInterceptor &
  Pick<RequiredMethods, "register"> &
  Pick<Arrivals, "contextValuesOfFirst"> &
  Pick<GuardedPublisher, "onSettled"> & {
    /** The `instance_id` of its events. */
    readonly instanceId: string;
  };

/** Creates the interceptor of checked settings. */
export function buildInterceptor(
  settings: InterceptorSettings,
  shutdown: KnownShutdown = new Shutdown(settings),
): BuiltInterceptor {
  const { service, maxContextBytes, recordContext, settleTimeoutMs } = settings;
  const log = createTroubleLog<ServiceTrouble>(settings.log);
  const recorder = recordContext && createContextRecorder(recordContext, maxContextBytes, log);
  const required = createRequiredMethods(settings.required);
  const arrivals = createArrivals(required, log);
  const waits = createWaits(log);
  const judge = createJudge({ ...settings, required }, waits, log);
  const skipped = createSkippedCalls(log);
  const publisher = createGuardedPublisher(settings, skipped, waits, log);
  const open = createOpenCalls();
  const instanceId = randomUUID();
  const tracking: Tracking = {
    source: { service, instanceId, maxContextBytes, recorder },
    observing: { settleTimeoutMs, shutdown },
    publisher,
    skipped,
    open,
    log,
    tracked: 0,
    byStatus: {},
    inferredByStatus: {},
  };

  if (service === unknownService) {
    log.warn("no_service", { service }, "the service has no name in its events: give the option service");
  }
  if (settings.publisher === undefined) {
    log.warn("no_publisher", { service }, "there is no publisher: session activity is not recorded");
  }

  /** Read, judge; then observe and publish, if the call is tracked. */
  function intercept(next: Next, call: Call): Promise<Answer> {
    // Most calls. Each look into Fetch headers takes as long as all of this.
    if (arrivals.takeClean(call) && !required.has(call.method)) return next(call);
    const exchange = arrivals.reach(call);
    const mark = readMark(call.header);
    stripMark(call.header);
    if (mark.kind === "unmarked" && isSecond(call)) return next(call);
    const judgement = judge.judge(mark, call);
    if (judgement.kind !== "untracked") return trackCall(tracking, next, call, exchange, mark, judgement);
    if (mark.kind === "empty") skipped.add("context_empty", call, "a marked call has no session context");
    return next(call);
  }

  function isSecond(call: Call): boolean {
    // The first interceptor took the mark away. The same header object means the same chain, not a call inside a handler.
    if (call.contextValues.get(trackedCallKey)?.header !== call.header) return false;
    const message = "the interceptor is registered twice: one event is published";
    log.warn("registered_twice", { procedure: procedureOf(call.method) }, message);
    return true;
  }

  const interceptor: Interceptor = (next) => (call) => intercept(next, call);
  return Object.assign(interceptor, {
    contextValues: arrivals.contextValues,
    contextValuesOfFirst: arrivals.contextValuesOfFirst,
    register: required.register,
    onSettled: publisher.onSettled,
    instanceId,
    problems: waits.problems,
    drain: (timeoutMs: number) => open.drain(readOptions("drain", drainTable, { timeoutMs }).timeoutMs),
    stats: (): InterceptorStats => ({
      open: open.size,
      oldestInHandMs: open.oldestInHandMs(),
      tracked: tracking.tracked,
      byStatus: { ...tracking.byStatus },
      bypassed: arrivals.bypassed,
      leftEarly: arrivals.leftEarly,
      inferred: sumOf(tracking.inferredByStatus),
      inferredByStatus: { ...tracking.inferredByStatus },
      skipped: skipped.stats(),
      dropped: publisher.dropped,
      ...judge.stats(),
      stalled: waits.stats(),
      unrecordedContexts: recorder?.failures ?? 0,
    }),
  });
}

const drainTable = { timeoutMs: milliseconds({ meaning: "How long to wait for open calls", byDefault: 0 }) };
