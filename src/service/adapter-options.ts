import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { ConnectRouter, ConnectRouterOptions, ContextValues, Interceptor } from "@connectrpc/connect";
import { wrongOption } from "../base/option-error.js";
import type { NodeRequest } from "../outcome/exchange.js";
import type { BuiltInterceptor } from "./interceptor.js";
import type { Shutdown } from "./shutdown.js";

/** What the options of the adapters for Node, express, fastify and Next.js have in common. */
export interface AdapterOptions {
  routes?: ((router: ConnectRouter) => unknown) | undefined;
  interceptors?: Interceptor[];
  contextValues?: (request: never) => ContextValues;
  shutdownSignal?: AbortSignal;
  shutdownError?: unknown;
}

/** The options of all these adapters: what is taken if nothing tells which of them the options are for. */
export interface AnyAdapterOptions extends ConnectRouterOptions {
  routes: (router: ConnectRouter) => void;
  // biome-ignore lint/suspicious/noExplicitAny: each adapter has a request of its own, and any of them must fit
  contextValues?: (request: any) => ContextValues;
  // biome-ignore lint/suspicious/noExplicitAny: the same
  fallback?: (request: any, response: any) => void;
  requestPathPrefix?: string;
  prefix?: string;
  shutdownTimeoutMs?: number;
  shutdownError?: unknown;
}

/** Options of a service or a method. */
type RouteOptions = NonNullable<Parameters<ConnectRouter["service"]>[2]>;

/** What a service is made of that has session tracking. */
interface Wiring {
  readonly interceptor: BuiltInterceptor;
  readonly shutdown: Shutdown;
  /** Called for each call. */
  onCall(): void;
}

/**
 * Adds session tracking to the options of an adapter.
 *
 * The options that come back hold our interceptor before all others, also for services and methods that are registered with
 * interceptors of their own; Node's view of each call; and the shutdown. To wire them again changes nothing.
 */
export function wireAdapter<Options extends AdapterOptions>(options: Options, wiring: Wiring): Options {
  if (typeof options !== "object" || options === null) {
    throw wrongOption("the argument of adapterOptions", "an object with options", options, "write { routes, … }");
  }
  const { interceptor, shutdown } = wiring;
  const { routes, contextValues, shutdownError = shutdown.error } = options;
  shutdown.know({ shutdownSignal: options.shutdownSignal, shutdownError });
  const withTracking = {
    ...options,
    ...(routes !== undefined && {
      // fastify may have put a signal of its own into the options by now.
      routes: (router: ConnectRouter) => routes.call(withTracking, wireRouter(router, withTracking, wiring)),
    }),
    interceptors: first(interceptor, options.interceptors),
    contextValues(request: NodeRequest | { raw: NodeRequest }) {
      wiring.onCall();
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      return interceptor.contextValuesOfFirst(request, contextValues?.call(withTracking, request as never));
    },
    shutdownSignal: shutdown.signalForCalls(options.shutdownSignal),
    // fastify aborts calls with this, by a signal of its own, if it has a shutdownTimeoutMs. Other adapters do not know it.
    shutdownError,
  };
  return withTracking;
}

/**
 * A router that completes what is registered.
 *
 * Connect gives services and methods with interceptors of their own theirs *instead* of the adapter's, also if they are an
 * explicit undefined: ours come first in these, too. Streams get the signal that tells them first.
 *
 * Throws an `OptionError` if the schema gives a method an operation that is not well-formed.
 */
function wireRouter(router: ConnectRouter, adapter: AdapterOptions, wiring: Wiring): ConnectRouter {
  const { interceptor, shutdown } = wiring;
  function forCalls(options: RouteOptions | undefined): RouteOptions | undefined {
    if (options === undefined) return undefined;
    shutdown.know(options);
    return {
      ...options,
      ...("interceptors" in options && { interceptors: first(interceptor, options.interceptors) }),
      ...("shutdownSignal" in options && { shutdownSignal: shutdown.signalForCalls(options.shutdownSignal) }),
    };
  }

  function forStreams(options: RouteOptions | undefined): RouteOptions {
    const signal =
      options !== undefined && "shutdownSignal" in options ? options.shutdownSignal : adapter.shutdownSignal;
    // A route without options has all of the adapter's. One with options has not: Connect forgets which protocols are off.
    return { ...(forCalls(options) ?? adapter), shutdownSignal: shutdown.signalForStreams(signal) };
  }

  const wired: ConnectRouter = Object.create(router, {
    service: {
      value(service: DescService, implementation: object, options?: RouteOptions) {
        for (const method of service.methods) interceptor.register(method);
        const { calls, streams } = byKind(service);
        if (calls !== undefined) router.service(calls, implementation, forCalls(options));
        if (streams !== undefined) router.service(streams, implementation, forStreams(options));
        return wired;
      },
    },
    rpc: {
      value(method: DescMethod, implementation: never, options?: RouteOptions) {
        interceptor.register(method);
        router.rpc(method, implementation, isStream(method) ? forStreams(options) : forCalls(options));
        return wired;
      },
    },
  });
  return wired;
}

/** A service in two parts: calls with one request and one response, and all others. */
function byKind(service: DescService): { calls?: DescService; streams?: DescService } {
  const part = (methods: DescMethod[]): DescService => Object.create(service, { methods: { value: methods } });
  const streams = service.methods.filter(isStream);
  if (streams.length === 0) return { calls: service };
  const calls = service.methods.filter((method) => !isStream(method));
  return calls.length === 0 ? { streams: service } : { calls: part(calls), streams: part(streams) };
}

function isStream({ methodKind }: DescMethod): boolean {
  return methodKind !== "unary";
}

/** The user may have put it somewhere by hand. */
function first(interceptor: Interceptor, others: readonly Interceptor[] | undefined): Interceptor[] {
  return [interceptor, ...(others ?? []).filter((other) => other !== interceptor)];
}
