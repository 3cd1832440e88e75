import type { ConnectRouter, ContextValues, Interceptor } from "@connectrpc/connect";
import type { NodeRequest } from "../outcome/exchange.js";
import type { SessionActivityInterceptor } from "./interceptor.js";
import type { Shutdown } from "./shutdown.js";

/** What the options of the adapters for Node, express, fastify and Next.js have in common. */
export interface AdapterOptions {
  routes?: ((router: ConnectRouter) => unknown) | undefined;
  interceptors?: Interceptor[];
  contextValues?: (request: never) => ContextValues;
  shutdownSignal?: AbortSignal;
  shutdownError?: unknown;
}

/** What registers services: the part of a router that is wrapped. */
type Register = (...args: [described: unknown, implementation: unknown, options?: object]) => ConnectRouter;

/**
 * Adds session tracking to the options of an adapter.
 *
 * The options that come back hold our interceptor before all others, also for services and methods that are registered with
 * interceptors of their own; Node's view of each call; and the shutdown. Options that were wired before come back as they are.
 */
export function wireAdapter<Options extends AdapterOptions>(
  options: Options,
  interceptor: SessionActivityInterceptor,
  shutdown: Shutdown,
  wired: WeakSet<object>,
  onCall: () => void,
): Options {
  if (wired.has(options)) return options;
  const { routes, contextValues, shutdownSignal, shutdownError = shutdown.error } = options;
  shutdown.follow(shutdownSignal);
  const withTracking = {
    ...options,
    ...(routes !== undefined && { routes: (router: ConnectRouter) => routes(withFirst(interceptor, router)) }),
    interceptors: first(interceptor, options.interceptors),
    contextValues(request: NodeRequest | { raw: NodeRequest }) {
      onCall();
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      return interceptor.contextValues(request, contextValues?.(request as never));
    },
    shutdownSignal: shutdown.signal,
    // fastify aborts calls with this, by a signal of its own, if it has a shutdownTimeoutMs. Other adapters do not know it.
    shutdownError,
  };
  wired.add(withTracking);
  return withTracking;
}

/**
 * A router that puts our interceptor first for services and methods with interceptors of their own: Connect gives those theirs
 * *instead* of the adapter's. That holds for an explicit undefined, too.
 */
function withFirst(interceptor: Interceptor, router: ConnectRouter): ConnectRouter {
  const wrap =
    (register: Register): Register =>
    (described, implementation, options) => {
      register(described, implementation, optionsWithFirst(interceptor, options));
      return wrapped;
    };
  const wrapped: ConnectRouter = Object.assign(Object.create(router), {
    service: wrap(router.service.bind(router) as Register),
    rpc: wrap(router.rpc.bind(router) as Register),
  });
  return wrapped;
}

function optionsWithFirst(interceptor: Interceptor, options: object | undefined): object | undefined {
  if (options === undefined || !("interceptors" in options)) return options;
  return { ...options, interceptors: first(interceptor, options.interceptors as Interceptor[] | undefined) };
}

/** The user may have put it somewhere by hand. */
function first(interceptor: Interceptor, others: readonly Interceptor[] | undefined): Interceptor[] {
  return [interceptor, ...(others ?? []).filter((other) => other !== interceptor)];
}
