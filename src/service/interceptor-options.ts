import type { DescMethod } from "@bufbuild/protobuf";
import type { SessionActivityEvent } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import type { Logger } from "../base/log.js";
import {
  abortSignal,
  anything,
  callback,
  logOption,
  milliseconds,
  type OptionsOf,
  objectWith,
  readOptions,
  wholeNumber,
} from "../base/options.js";
import { maxContextBytesOption } from "../contract/bounds.js";
import { procedureOf } from "../contract/procedure.js";
import type { SessionVerifier } from "../contract/signed-mark.js";
import type { LossReason, Publisher } from "../publishing/publisher.js";

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
   * here. It adds to the methods whose schema says `required`: see `proto/sessionactivity/v1/options.proto`. By default, none.
   */
  required?: readonly (DescMethod | string)[] | undefined;
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
  /**
   * Told of each event that is lost, with the reason. It is called at the call's end, or when Kafka's client gives the event up.
   * It must be quick. What it throws is logged.
   *
   * @default none
   * @example onDrop: (reason, event) => fallbackLog.error({ reason, eventId: event.eventId, action: event.action })
   */
  onDrop?: ((reason: LossReason, event: SessionActivityEvent) => void) | undefined;
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
  readonly onDrop: ((reason: LossReason, event: SessionActivityEvent) => void) | undefined;
  readonly log: Logger | false | undefined;
}

/** What stands for the name of a service that has none. */
export const unknownService = "unknown-service";

/** The options of the interceptor. */
export const interceptorTable: OptionsOf<InterceptorSettings> = {
  service: {
    meaning: "The service's name in its events",
    expects: "a text without control characters",
    byDefault: unknownService,
    variable: "SERVICE",
    read: (value) => (isPrintable(value) ? value.trim() || unknownService : undefined),
    parse: (given) => given,
  },
  publisher: objectWith<Publisher>(["publish", "stats", "close"], {
    meaning: "Takes the events",
    expects: "a Publisher",
  }),
  required: {
    meaning: "Methods whose calls have an event even if they come without a mark, beside those whose schema says so",
    expects: "methods, such as [AccountService.method.changePassword], or their names, such as /package.Service/Method",
    byDefault: new Set(),
    defaultText: "none",
    variable: "REQUIRED",
    read: readMethods,
    parse: (given) => given.split(",").map((name) => name.trim()),
  },
  verify: objectWith<SessionVerifier>(["verify"], {
    meaning: "Verifies the signatures of marks",
    expects: "a SessionVerifier, which createSessionVerifier makes",
    defaultText: "marks are believed",
  }),
  maxUnverifiedPerMinute: wholeNumber({
    meaning:
      "How many events there may be of calls that are wrongly signed, and how many of calls that lack their mark",
    unit: "events a minute",
    byDefault: 300,
    variable: "MAX_UNVERIFIED_PER_MINUTE",
  }),
  recordContext: callback({
    meaning: "Gives what an event records in place of the session context",
    defaultText: "the context as it came",
  }),
  maxContextBytes: maxContextBytesOption("The longest session context that an event holds", "MAX_CONTEXT_BYTES"),
  settleTimeoutMs: milliseconds({
    meaning: "How long an event waits for a handler whose caller is gone",
    byDefault: 10_000,
    variable: "SETTLE_TIMEOUT_MS",
  }),
  onDrop: callback({ meaning: "Told of each event that is lost, with the reason" }),
  shutdownSignal: abortSignal({ meaning: "The adapter's `shutdownSignal`" }),
  shutdownError: anything({ meaning: "The adapter's `shutdownError`" }),
  log: logOption,
};

/** Checks and completes the options. Throws an `OptionError` that names the option. */
export function interceptorSettings(options: SessionActivityInterceptorOptions): InterceptorSettings {
  return readOptions("createSessionActivityInterceptor", interceptorTable, options);
}

function isPrintable(value: unknown): value is string {
  return typeof value === "string" && !/\p{Cc}/u.test(value);
}

/** The procedures of methods. */
function readMethods(value: unknown): ReadonlySet<string> | undefined {
  if (!Array.isArray(value)) return undefined;
  const procedures = value.map(readMethod);
  return procedures.includes(undefined) ? undefined : new Set(procedures.flatMap((procedure) => procedure ?? []));
}

function readMethod(value: unknown): string | undefined {
  if (typeof value === "string") return /^\/[\w.]+\/\w+$/.test(value) ? value : undefined;
  return isMethod(value) ? procedureOf(value) : undefined;
}

function isMethod(value: unknown): value is DescMethod {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "rpc";
}
