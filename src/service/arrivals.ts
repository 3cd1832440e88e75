import { type ContextKey, type ContextValues, createContextKey, createContextValues } from "@connectrpc/connect";
import type { TroubleLog } from "../base/log.js";
import { hasSessionHeader, isTrackValue, sessionHeaders } from "../contract/headers.js";
import type { Call } from "../outcome/caller.js";
import { type Exchange, exchangeKey, type NodeRequest, watchExchange } from "../outcome/exchange.js";
import type { RequiredMethods } from "./required-methods.js";
import type { ServiceTrouble } from "./service-troubles.js";

type ContextValuesOf = (request: NodeRequest | { raw: NodeRequest }, values?: ContextValues) => ContextValues;

/** Says that Node's request has none of the session headers. Whoever reads it takes it away: a handler may reuse the values. */
const cleanKey: ContextKey<boolean> = createContextKey(false, {
  description: "connect-session-activity: clean request",
});

/** The marked calls as Node receives them, which is before Connect does. */
export interface Arrivals {
  /** Marked calls that Node received and the interceptor never saw. */
  readonly bypassed: number;
  /** Marked calls whose caller left before its request was complete, so that no handler ran. */
  readonly leftEarly: number;
  /** Watches the exchange of a marked call, and leaves it for the interceptor. Works unbound, and never throws. */
  readonly contextValues: ContextValuesOf;
  /**
   * The same, for adapters that run our interceptor before all others. It notes the requests that have none of the session
   * headers: then nobody can have set one in between, and the interceptor need not look for them again.
   */
  readonly contextValuesOfFirst: ContextValuesOf;
  /** Whether the call was noted as having none of the session headers. Answers so once. */
  takeClean(call: Call): boolean;
  /** Notes that a call has reached the interceptor. Gives its exchange, if it is watched. */
  reach(call: Call): Exchange | undefined;
}

/** Creates the arrivals of one interceptor. */
export function createArrivals(required: RequiredMethods, log: TroubleLog<ServiceTrouble>): Arrivals {
  /** Tells that a service gives the same values to two calls, which would mix up their exchanges. */
  const givenValues = new WeakSet<ContextValues>();
  let bypassed = 0;
  let leftEarly = 0;

  function addIfBypassed(exchange: Exchange): void {
    if (exchange.reached) return;
    if (exchange.state === "gone" && !exchange.isComplete) {
      leftEarly += 1;
      return;
    }
    bypassed += 1;
    const path = exchange.request?.url?.split("?", 1)[0]?.slice(0, 256);
    log.warn(
      "bypassed",
      { path },
      "a marked call never reached the interceptor: Connect refused it before, or its service has interceptors of its own",
    );
  }

  function watch(request: NodeRequest, values: ContextValues, isGiven: boolean): void {
    // Wired twice, by hand and by `adapterOptions`, or by the latter twice.
    if (isGiven && values.get(exchangeKey)?.request === request) return;
    const isShared = isGiven && givenValues.has(values);
    if (isGiven) givenValues.add(values);
    values.set(exchangeKey, isShared ? undefined : watchExchange(request, addIfBypassed));
    if (isShared) log.warn("shared_values", {}, "contextValues was given the same ContextValues for two calls");
  }

  function valuesOf(request: NodeRequest | { raw: NodeRequest }, given: ContextValues | undefined, isFirst: boolean) {
    const values = given ?? createContextValues();
    try {
      const nodeRequest = "raw" in request ? request.raw : request;
      // Given values may be those of another call.
      if (isFirst && given === undefined && !hasSessionHeader(nodeRequest.headers)) values.set(cleanKey, true);
      if (isMarked(nodeRequest) || required.hasPath(nodeRequest.url ?? ""))
        watch(nodeRequest, values, given !== undefined);
    } catch {
      // An adapter handed in something that is not a request of Node's. The call goes on without Node's view of it.
    }
    return values;
  }

  return {
    get bypassed() {
      return bypassed;
    },
    get leftEarly() {
      return leftEarly;
    },
    contextValues: (request, given) => valuesOf(request, given, false),
    contextValuesOfFirst: (request, given) => valuesOf(request, given, true),
    takeClean({ contextValues }) {
      if (!contextValues.get(cleanKey)) return false;
      contextValues.set(cleanKey, false);
      return true;
    },
    reach(call) {
      const exchange = call.contextValues.get(exchangeKey);
      if (exchange !== undefined) exchange.reached = true;
      return exchange;
    },
  };
}

function isMarked(request: NodeRequest): boolean {
  const track = request.headers[sessionHeaders.track];
  return typeof track === "string" && isTrackValue(track) && Boolean(request.headers[sessionHeaders.context]);
}
