import type { DescMethod } from "@bufbuild/protobuf";
import type { Logger } from "../base/log.js";
import { readCount, readLog, readMs, wrongOption } from "../base/option-checks.js";
import { procedureOf } from "../contract/procedure.js";
import type { SessionVerifier } from "../contract/signed-mark.js";
import type { Publisher } from "../publishing/publisher.js";

/** Options of `createSessionActivityInterceptor`. */
export interface SessionActivityInterceptorOptions {
  /** The name of the service in its events, for example `user-service`. Empty becomes `unknown-service`. */
  service: string;
  /** Takes the events. Where it is undefined, tracked calls run, and their events are dropped and counted. */
  publisher: Publisher | undefined;
  /**
   * The `shutdownSignal` given to the adapter. A call that the shutdown aborts still gets its handler's answer; without
   * this option its event may say CANCELLED.
   */
  shutdownSignal?: AbortSignal | undefined;
  /** The `shutdownError` given to the fastify plugin, which aborts calls by a signal of its own. */
  shutdownError?: unknown;
  /**
   * How long an event waits for the handler when the caller has left, in milliseconds. By default, 10,000. After it the
   * event says `handler_status: UNSETTLED`.
   */
  settleTimeoutMs?: number | undefined;
  /**
   * The size up to which an event holds the session context, in bytes. By default, 8,192. The event of a larger one says
   * `context_problem: too_large` and leaves it out.
   */
  maxContextBytes?: number | undefined;
  /**
   * Methods whose calls must come with a mark: `[AccountService.method.changePassword]`. A call without one has an event all
   * the same, which says `context_problem: missing`, so that nobody can escape the trail by keeping the mark from getting
   * here. By default, none.
   */
  required?: readonly DescMethod[] | undefined;
  /**
   * Verifies the signatures of marks: see `createSessionVerifier` in `connect-session-activity/signature`. A call whose
   * mark does not hold runs, without the session context, and its event says what was wrong. By default, marks are believed.
   */
  verify?: SessionVerifier | undefined;
  /**
   * How many events of wrongly signed calls there may be in a minute, and how many of calls that lack a mark they must have.
   * By default, 300 of each. Further ones are counted and not made, so that a flood of forged marks does not take the place of
   * genuine events, nor of those that show where marks are taken away: in an outage of 5 minutes, 1,800 such events of 11 KB at
   * most, two thirds of what the Kafka publisher holds. Twice as many may come in a minute that follows a quiet one.
   */
  maxUnverifiedPerMinute?: number | undefined;
  /**
   * Gives what an event records in place of the session context: a pseudonym, say, or an encrypted form. Handlers and
   * downstream services have the original. It runs in the call, so it must be quick. Where it throws, or gives something
   * longer than `maxContextBytes`, nothing is recorded. By default, the context is recorded as it came.
   */
  recordContext?: ((encodedSessionContext: string) => string) | undefined;
  /** Takes warnings. By default, a line each on stderr; false silences them. */
  log?: Logger | false | undefined;
}

/** The options, checked and completed. */
export interface InterceptorSettings {
  readonly service: string;
  readonly publisher: Publisher | undefined;
  readonly shutdownSignal: AbortSignal | undefined;
  readonly shutdownError: unknown;
  readonly settleTimeoutMs: number;
  readonly maxContextBytes: number;
  /** Procedures. */
  readonly required: ReadonlySet<string>;
  readonly verify: SessionVerifier | undefined;
  readonly maxUnverifiedPerMinute: number;
  readonly recordContext: ((encodedSessionContext: string) => string) | undefined;
  readonly log: Logger | false | undefined;
}

/** Checks and completes the options. Throws a TypeError that names the option. */
export function interceptorSettings(options: SessionActivityInterceptorOptions): InterceptorSettings {
  const { service, publisher, log, verify, recordContext } = options;
  if (typeof service !== "string") throw wrongOption("service", "a string", service);
  if (publisher !== undefined && typeof publisher?.publish !== "function") {
    throw wrongOption("publisher", "a Publisher, or undefined", publisher);
  }
  if (verify !== undefined && typeof verify?.verify !== "function") {
    throw wrongOption("verify", "a SessionVerifier", verify);
  }
  if (recordContext !== undefined && typeof recordContext !== "function") {
    throw wrongOption("recordContext", "a function", recordContext);
  }
  return {
    verify,
    recordContext,
    required: readMethods("required", options.required),
    maxUnverifiedPerMinute: readCount("maxUnverifiedPerMinute", options.maxUnverifiedPerMinute, 300),
    service: service.trim() || "unknown-service",
    publisher,
    log: readLog(log),
    shutdownSignal: options.shutdownSignal,
    shutdownError: options.shutdownError,
    settleTimeoutMs: readMs("settleTimeoutMs", options.settleTimeoutMs, 10_000),
    maxContextBytes: readCount("maxContextBytes", options.maxContextBytes, 8_192),
  };
}

function readMethods(name: string, methods: readonly DescMethod[] | undefined): ReadonlySet<string> {
  if (methods === undefined) return new Set();
  if (!Array.isArray(methods) || !methods.every(isMethod)) throw wrongOption(name, "an array of methods", methods);
  return new Set(methods.map(procedureOf));
}

function isMethod(value: DescMethod | undefined): boolean {
  return value?.kind === "rpc";
}
