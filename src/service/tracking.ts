import { errorName } from "../base/errors.js";
import { createTroubleLog, type Logger } from "../base/log.js";
import { maxInt32, milliseconds, type OptionsOf, readOptions } from "../base/options.js";
import { resolvesWithin } from "../base/timing.js";
import type { Publisher, PublisherProblem, PublisherStats, Settled } from "../publishing/publisher.js";
import type { RunStats } from "../publishing/run-record.js";
import type { SpoolStats } from "../publishing/spool-stats.js";
import { type AdapterOptions, type AnyAdapterOptions, wireAdapter } from "./adapter-options.js";
import type { BuiltInterceptor, InterceptorStats, SessionActivityInterceptor } from "./interceptor.js";
import type { ServiceTrouble } from "./service-troubles.js";
import type { Shutdown } from "./shutdown.js";
import type { InterceptorProblem } from "./waits.js";
import { readServer, type WatchableServer, WatchedServer } from "./watched-server.js";

/** Everything that is counted, at one moment. */
export interface SessionTrackingStats {
  /** What became of the calls. */
  readonly interceptor: InterceptorStats;
  /** What became of the events. */
  readonly publisher: PublisherStats;
  /** How the spool is, if there is one. */
  readonly spool?: SpoolStats | undefined;
  /** What became of run records, if there are any. */
  readonly runs?: RunStats | undefined;
}

/**
 * What keeps session tracking from doing all it should: what the interceptor and the publisher have, and these.
 *
 * - `shutting_down`: `shutDown` or `close` was called
 * - `not_watched`: no server is watched, see `watch`
 */
export type ReadinessProblem = "shutting_down" | "not_watched" | InterceptorProblem | PublisherProblem;

/** The answer for a health endpoint. */
export interface Readiness {
  /** Whether the service should get calls. False only when it shuts down: calls never depend on Kafka. */
  readonly ready: boolean;
  readonly problems: readonly ReadinessProblem[];
}

/** Session tracking for one service: what wires it, shuts it down, and tells how it is. */
export interface SessionTracking {
  /**
   * Adds session tracking to the options of `connectNodeAdapter`, `expressConnectMiddleware`, `fastifyConnectPlugin` or
   * `nextJsApiRouter`, and returns them.
   *
   * Our interceptor comes first, also for services registered with interceptors of their own. Handlers learn of a shutdown by
   * their abort signal. Your own `interceptors`, `contextValues` and `shutdownSignal` go on working.
   *
   * Write the options where the adapter takes them, as in the example: then TypeScript knows the adapter, its request and its
   * options. It takes those of all adapters otherwise.
   *
   * When your routes are registered, an `OptionError` is thrown if the schema gives a method an operation that is not
   * well-formed.
   *
   * It cannot reach routers that you make yourself, with `createConnectRouter` or `createRouterTransport`: give these
   * `interceptors: [tracking.interceptor]`. If nothing is wired, the first marked call on a watched server makes a warning.
   *
   * @example
   * const handler = connectNodeAdapter(tracking.adapterOptions({ routes, interceptors: [auth] }));
   */
  adapterOptions<Options extends AdapterOptions = AnyAdapterOptions>(options: NoInfer<Options>): Options;
  /**
   * Watches a server's connections from their start, and returns the server. Call it before the server has connections. A
   * clean shutdown needs it, and so does telling a deadline from a cancellation on a new connection.
   *
   * Throws an `OptionError` if this is not a server.
   *
   * @param server An http, https or http2 server of Node's, or a fastify instance.
   * @example
   * const server = tracking.watch(http2.createServer(handler));
   */
  watch<Server extends WatchableServer>(server: Server): Server;
  /**
   * Shuts the service down without harm to its calls, and without losing their events.
   *
   * 1. The watched servers take no more connections and calls. Streams are told at once.
   * 2. Open calls, marked or not, have `graceMs` to end by themselves.
   * 3. Then their abort signals are aborted, and they have the drain timeout to end.
   * 4. What is still open is cut, and its event says `UNSETTLED`.
   * 5. Events go to Kafka, for `closeTimeoutMs` at most, and the last run record after them, for a second at least.
   *
   * Connections that were handed on, as for WebSockets, have `graceMs`, too: end them yourself before. Adapters that you wire
   * by hand are told by your own `shutdownSignal`. With fastify, call this instead of its `close`, or in a `preClose` hook:
   * `onClose` hooks come when all calls have ended.
   *
   * Always resolves, with all counts. For a wrong option, the default holds. Calling it again changes nothing. The process then
   * ends by itself, if nothing else keeps it.
   *
   * @param options.graceMs In milliseconds. @default 5_000
   * @example
   * process.once("SIGTERM", () => void tracking.shutDown());
   */
  shutDown(options?: { readonly graceMs?: number | undefined }): Promise<SessionTrackingStats>;
  /**
   * Waits until no event is queued, or the time is over, in milliseconds. Always resolves. For processes that live shortly and
   * are frozen rather than ended.
   *
   * @param options.timeoutMs @default 5_000
   */
  flush(options?: { readonly timeoutMs?: number | undefined }): Promise<void>;
  /** All counts at this moment. */
  stats(): SessionTrackingStats;
  /** How session tracking is, for a health endpoint. */
  ready(): Readiness;
  /**
   * Tells a function what becomes of each event: `"delivered"`, or why it was dropped. It is called in the delivery report, long
   * after the call, and must not throw. Nothing is asked of the publisher as long as nobody listens.
   *
   * Answers with a function that ends this.
   *
   * @example
   * const stop = tracking.onSettled((outcome, { eventId }) => audit(eventId, outcome));
   */
  onSettled(listener: Settled): () => void;
  /** The interceptor, for those who wire by hand: put it first, and its `contextValues` into the adapter. */
  readonly interceptor: SessionActivityInterceptor;
  /** Takes the events. */
  readonly publisher: Publisher;
  /**
   * Waits for the tracked calls that are open, for the drain timeout at most, then delivers what can be delivered in time.
   * Always resolves. For those who wire by hand, and close their server and abort their `shutdownSignal` themselves.
   */
  close(): Promise<PublisherStats>;
}

/** What session tracking is made of. */
export interface TrackingParts {
  readonly interceptor: BuiltInterceptor;
  readonly publisher: Publisher;
  readonly shutdown: Shutdown;
  readonly drainTimeoutMs: number;
  /** How long the publisher's end may take, in milliseconds. @default the drain timeout */
  readonly publisherCloseMs?: number | undefined;
  readonly log: Logger | false | undefined;
}

/** The options of `shutDown`. */
export const shutDownTable: OptionsOf<{ readonly graceMs: number }> = {
  graceMs: milliseconds({
    meaning: "How long open calls may go on at a shutdown before their abort signals are aborted",
    byDefault: 5_000,
  }),
};

/** The options of `flush`. */
export const flushTable: OptionsOf<{ readonly timeoutMs: number }> = {
  timeoutMs: milliseconds({ meaning: "How long to wait for queued events", byDefault: 5_000 }),
};

/** Puts session tracking together. */
export function createTracking({
  interceptor,
  publisher,
  shutdown,
  drainTimeoutMs,
  publisherCloseMs = drainTimeoutMs,
  log,
}: TrackingParts): SessionTracking {
  const trouble = createTroubleLog<ServiceTrouble>(log);
  const servers = new Map<WatchableServer, WatchedServer>();
  let isWired = false;
  let isWatched = false;
  let ending: Promise<SessionTrackingStats> | undefined;
  let closing: Promise<PublisherStats> | undefined;

  const stats = (): SessionTrackingStats => ({
    interceptor: interceptor.stats(),
    publisher: publisher.stats(),
    ...(publisher.spool && { spool: publisher.spool() }),
    ...(publisher.runs && { runs: publisher.runs() }),
  });

  /** A wrong option must not get in the way of a shutdown: it shows only now. */
  function optionsOf<Settings>(owner: string, table: OptionsOf<Settings>, given: unknown): Settings {
    try {
      return readOptions(owner, table, given);
    } catch (error) {
      trouble.warn("options", {}, `${error instanceof Error ? error.message : owner}: the default is used`);
      return readOptions(owner, table, undefined);
    }
  }

  function warnIfUnwatched(): void {
    if (isWatched) return;
    // Once is enough: it is a matter of the code, and not of the moment.
    isWatched = true;
    const message =
      "no server is watched: shutDown cannot end its connections, and deadlines of calls on new connections are guesses. Create the server as tracking.watch(createServer(…))";
    trouble.warn("not_watched", {}, message);
  }

  function warnOfLateWatch(): void {
    const message =
      "a server was watched when it had connections already: shutDown cannot end these. Watch it before it listens";
    trouble.warn("watched_late", {}, message);
  }

  function warnIfUnwired(path: string): void {
    const { tracked, open, skipped } = interceptor.stats();
    if (tracked + open + Object.keys(skipped).length > 0) return;
    const message =
      "a marked call came to a server without the interceptor: give the adapter tracking.adapterOptions({ routes, … })";
    trouble.warn("not_wired", { path }, message);
  }

  function close(): Promise<PublisherStats> {
    closing ??= interceptor.drain(drainTimeoutMs).then(closePublisher);
    return closing;
  }

  /** One that a user wrote may hang, or reject against its contract. The process is about to end all the same. */
  async function closePublisher(): Promise<PublisherStats> {
    let reason = "it did not come to an end in time";
    try {
      if (await resolvesWithin(publisherCloseMs, publisher.close())) return publisher.stats();
    } catch (error) {
      reason = errorName(error);
    }
    trouble.error(
      "publisher_not_closed",
      { reason },
      "the publisher could not be closed: what is queued in it may be lost",
    );
    return publisher.stats();
  }

  async function shutDown(graceMs: number): Promise<SessionTrackingStats> {
    const watched = [...servers.values()];
    // The first one has no end of its own: it resolves at the latest with the drain below.
    const ended = Promise.all([interceptor.drain(maxInt32), ...watched.map((server) => server.stop())]);
    shutdown.tellStreams();
    if (!(await resolvesWithin(graceMs, ended))) {
      shutdown.tellAll();
      for (const server of watched) server.cutIdle();
      await resolvesWithin(drainTimeoutMs, ended);
    }
    // What is open now is published before its connection is cut: the cut is our doing, and not the caller's.
    await interceptor.drain(0);
    for (const server of watched) server.destroy();
    await close();
    return stats();
  }

  return {
    interceptor,
    publisher,
    adapterOptions(options) {
      isWired = true;
      return wireAdapter(options, { interceptor, shutdown, onCall: warnIfUnwatched });
    },
    watch(server) {
      const watchable = readServer(server);
      isWatched = true;
      if (servers.has(watchable)) return server;
      const watched = new WatchedServer(watchable, warnOfLateWatch);
      servers.set(watchable, watched);
      // A process may be told to end while it starts.
      if (ending !== undefined) void watched.stop();
      // Whoever wires by hand wires a server that this cannot see. Then marked calls tell.
      if (!isWired) watched.onMarkedCall((path) => isWired || warnIfUnwired(path));
      return server;
    },
    shutDown(options) {
      const { graceMs } = optionsOf("shutDown", shutDownTable, options);
      // Not before `ending` is set: what happens in a shutdown may call for it again.
      ending ??= Promise.resolve().then(() => shutDown(graceMs));
      return ending;
    },
    async flush(options) {
      const { timeoutMs } = optionsOf("flush", flushTable, options);
      await publisher.flush?.(timeoutMs);
    },
    stats,
    ready() {
      const problems: ReadinessProblem[] = [];
      const isEnding = ending !== undefined || closing !== undefined;
      if (isEnding) problems.push("shutting_down");
      if (servers.size === 0) problems.push("not_watched");
      problems.push(...interceptor.problems());
      const problem = publisher.problem?.();
      if (problem !== undefined) problems.push(problem);
      return { ready: !isEnding, problems };
    },
    onSettled: interceptor.onSettled,
    close,
  };
}
