import { randomUUID } from "node:crypto";
import { Code, ConnectError, type ContextValues, createContextValues, type Interceptor } from "@connectrpc/connect";
import type { SessionActivityEvent } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { createTroubleLog } from "../base/log.js";
import { readMs } from "../base/option-checks.js";
import { isTrackValue, readMark, type SessionMark, sessionHeaders, stripMark } from "../contract/headers.js";
import { procedureOf } from "../contract/procedure.js";
import { sessionContextKey } from "../contract/session-context.js";
import type { Answer, Call, Next } from "../outcome/caller.js";
import { type Exchange, exchangeKey, type NodeRequest, watchExchange } from "../outcome/exchange.js";
import { observeCall } from "../outcome/observer.js";
import { trackedCallKey } from "./annotation.js";
import { beginEvent, completeEvent } from "./event.js";
import { interceptorSettings, type SessionActivityInterceptorOptions } from "./interceptor-options.js";
import { createOpenCalls } from "./open-calls.js";
import { recordedContext } from "./recorded-context.js";
import { createVerification, type UnverifiedReason } from "./verification.js";

/**
 * Why a call has no event: its mark says nothing about the session, the publisher refused it or threw, or it is not verified
 * and there are too many of those.
 */
export type SkipReason = "context_empty" | "refused" | "publisher_error" | "too_many_unverified";

/** Counts of an interceptor since its creation. */
export interface InterceptorStats {
  /** Tracked calls whose event is not published yet. */
  readonly open: number;
  /** Tracked calls. */
  readonly tracked: number;
  /** Marked calls that Node received and the interceptor never saw. Counted where `contextValues` is installed. */
  readonly bypassed: number;
  /** Marked or required calls without an event, by reason. */
  readonly skipped: Readonly<Partial<Record<SkipReason, number>>>;
  /** Events that were dropped because there is no publisher. */
  readonly dropped: number;
  /** Marked calls whose signature held. */
  readonly verified: number;
  /** Calls without a valid mark where one is needed, by reason, whether they have an event or not. */
  readonly unverified: Readonly<Partial<Record<UnverifiedReason, number>>>;
  /** Events without the context, because `recordContext` failed. */
  readonly unrecordedContexts: number;
}

/** The interceptor, with what else it offers to the service that runs it. */
export type SessionActivityInterceptor = Interceptor & {
  /**
   * Give this to the adapter as its `contextValues`: `contextValues: (req) => interceptor.contextValues(req)`. It lets the
   * interceptor see when a caller left, and count the marked calls that never reached it. Values that the service sets
   * itself go in as the second argument.
   */
  contextValues(request: NodeRequest | { raw: NodeRequest }, values?: ContextValues): ContextValues;
  /** The counts at this moment. */
  stats(): InterceptorStats;
  /**
   * Resolves when no tracked call is open. Those that still are after so many milliseconds are published as UNSETTLED.
   */
  drain(timeoutMs: number): Promise<void>;
};

/**
 * Creates the interceptor that publishes an event for each call that a gateway marked.
 *
 * Put it first: an interceptor before it that changes the outcome is not seen. Options given to a single service in
 * `router.service(…, { interceptors })` replace those of the router, so name it there, too.
 *
 * Throws a TypeError for options that are wrong. On calls it never throws and never waits.
 */
export function createSessionActivityInterceptor(
  options: SessionActivityInterceptorOptions,
): SessionActivityInterceptor {
  const settings = interceptorSettings(options);
  const { publisher } = settings;
  const log = createTroubleLog(settings.log);
  const source = { service: settings.service, instanceId: randomUUID(), maxContextBytes: settings.maxContextBytes };
  const open = createOpenCalls();
  const skipped: Partial<Record<SkipReason, number>> = {};
  const counts = { tracked: 0, bypassed: 0, dropped: 0, unrecordedContexts: 0 };
  const verification = createVerification(settings, log);
  /** To tell values that a service gives to two calls, which would mix up their exchanges. */
  const givenValues = new WeakSet<ContextValues>();
  let sequence = 0n;

  if (publisher === undefined) {
    log.warn("no_publisher", { service: settings.service }, "there is no publisher: session activity is not recorded");
  }

  function intercept(next: Next, call: Call): Promise<Answer> {
    const { header, contextValues: values } = call;
    const exchange = values.get(exchangeKey);
    if (exchange !== undefined) exchange.reached = true;
    const reading = readMark(header);
    stripMark(header);
    if (reading === "unmarked" && isSecond(call)) return next(call);
    const mark = typeof reading === "string" ? (verification?.markInstead(call) ?? reading) : reading;
    const context = typeof reading === "string" ? header.get(sessionHeaders.context) : reading.context;
    if (context) values.set(sessionContextKey, context);
    if (typeof mark !== "string") return track(next, call, mark, exchange);
    if (mark === "context_empty") skip(mark, call, "a marked call has no session context");
    return next(call);
  }

  function track(next: Next, call: Call, mark: SessionMark, exchange: Exchange | undefined): Promise<Answer> {
    const startedAt = performance.now();
    const event = beginEvent(source, procedureOf(call.method), mark);
    if (settings.recordContext !== undefined) replaceContext(event, settings.recordContext);
    const observed = observeCall(call, exchange, settings, (completion) => {
      completeEvent(event, completion, Math.max(0, completion.at - startedAt));
      call.contextValues.delete(trackedCallKey);
      publish(event, call);
      open.remove(entry);
    });
    const entry = open.add(observed);
    const admitted = verification?.judge(event, mark, call) ?? true;
    return admitted === true && publisher?.begin === undefined ? run() : runIfAccepted();

    function run(): Promise<Answer> {
      counts.tracked += 1;
      call.contextValues.set(trackedCallKey, { event, header: call.header, log });
      return observed.run(next);
    }

    async function runIfAccepted(): Promise<Answer> {
      if ((await admitted) && (await mayBegin(event, call))) return run();
      open.remove(entry);
      if (await admitted) throw new ConnectError("session activity cannot be recorded", Code.ResourceExhausted);
      skip("too_many_unverified", call, "there are too many calls without a valid mark: some have no event");
      return next(call);
    }
  }

  function replaceContext(event: SessionActivityEvent, recordContext: (context: string) => string): void {
    const recorded = recordedContext(event.encodedSessionContext, recordContext, settings.maxContextBytes);
    event.encodedSessionContext = recorded ?? "";
    if (recorded !== undefined) return;
    counts.unrecordedContexts += 1;
    log.warn("record_context", { procedure: event.procedure }, "recordContext failed: an event has no session context");
  }

  /** Tells a durable publisher that a call begins. False where it refuses the call. */
  async function mayBegin(event: SessionActivityEvent, call: Call): Promise<boolean> {
    try {
      if ((await publisher?.begin?.(event)) !== "refuse") return true;
      counts.tracked += 1;
      skip("refused", call, "the publisher refused a call that it cannot record");
      return false;
    } catch {
      skip("publisher_error", call, "the publisher threw at the start of a call, against its contract");
      return true;
    }
  }

  function publish(event: SessionActivityEvent, call: Call): void {
    sequence += 1n;
    event.sequence = sequence;
    if (publisher === undefined) {
      counts.dropped += 1;
      return;
    }
    try {
      // Some are async in spite of the type.
      const result: unknown = publisher.publish(event);
      if (result instanceof Promise) result.catch(() => skipLost(call));
    } catch {
      skipLost(call);
    }
  }

  function skipLost(call: Call): void {
    skip("publisher_error", call, "the publisher threw, against its contract: the event is lost");
  }

  function skip(reason: SkipReason, call: Call, message: string): void {
    skipped[reason] = (skipped[reason] ?? 0) + 1;
    log.warn(reason, { procedure: procedureOf(call.method) }, message);
  }

  function isSecond(call: Call): boolean {
    // The first interceptor took the mark away. The same header object means the same chain, not a call inside a handler.
    if (call.contextValues.get(trackedCallKey)?.header !== call.header) return false;
    log.warn(
      "registered_twice",
      { procedure: procedureOf(call.method) },
      "the interceptor is registered twice: one event is published",
    );
    return true;
  }

  function contextValues(request: NodeRequest | { raw: NodeRequest }, given?: ContextValues): ContextValues {
    const values = given ?? createContextValues();
    try {
      const nodeRequest = "raw" in request ? request.raw : request;
      if (!isMarked(nodeRequest)) return values;
      const isShared = given !== undefined && givenValues.has(given);
      if (given !== undefined) givenValues.add(given);
      values.set(exchangeKey, isShared ? undefined : watchExchange(nodeRequest, countIfBypassed));
      if (isShared) log.warn("shared_values", {}, "contextValues was given the same ContextValues for two calls");
    } catch {
      // Whatever an adapter hands in that is no request of Node's: the call goes on without Node's view of it.
    }
    return values;
  }

  function countIfBypassed(exchange: Exchange): void {
    if (exchange.reached) return;
    counts.bypassed += 1;
    const path = exchange.request.url?.split("?", 1)[0]?.slice(0, 256);
    log.warn(
      "bypassed",
      { path },
      "a marked call never reached the interceptor: Connect refused it before, or its service has interceptors of its own",
    );
  }

  const interceptor: Interceptor = (next) => (call) => intercept(next, call);
  return Object.assign(interceptor, {
    contextValues,
    drain: (timeoutMs: number) => open.drain(readMs("timeoutMs", timeoutMs, 0)),
    stats: (): InterceptorStats => ({
      open: open.size,
      ...counts,
      skipped: { ...skipped },
      verified: verification?.stats().verified ?? 0,
      unverified: { ...verification?.stats().unverified },
    }),
  });
}

function isMarked(request: NodeRequest): boolean {
  const track = request.headers[sessionHeaders.track];
  return typeof track === "string" && isTrackValue(track) && Boolean(request.headers[sessionHeaders.context]);
}
