import { inspect } from "node:util";
import type { DescMethod, MessageInitShape } from "@bufbuild/protobuf";
import { isMessage } from "@bufbuild/protobuf";
import { type Duration, timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type SessionActivityEvent,
  SessionActivityEventSchema,
  type SessionContextSchema,
} from "../../gen/sessionactivity/v1/session_activity_pb.js";
import type { ContextProblem } from "../contract/context-problem.js";
import { procedureOf } from "../contract/procedure.js";
import { decodeSessionContext } from "../contract/session-context.js";
import type { ActivityStatus } from "../contract/status.js";

/**
 * What an event must have. What is not named may be anything. Each value may also be an asymmetric matcher of the test runner,
 * such as `expect.any(String)`.
 */
export interface ExpectedSessionActivity {
  action?: string | undefined;
  status?: ActivityStatus | undefined;
  /** Empty if it is the same as `status`. */
  handlerStatus?: ActivityStatus | "" | undefined;
  statusInferred?: boolean | undefined;
  /** `/package.Service/Method`, or the method. */
  procedure?: DescMethod | string | undefined;
  service?: string | undefined;
  /** Fields of the session context, if the gateway made that with `encodeSessionContext`. Others may be anything. */
  context?: MessageInitShape<typeof SessionContextSchema> | undefined;
  contextVerified?: boolean | undefined;
  /** Empty if there is none. */
  contextProblem?: ContextProblem | "" | undefined;
  /** All attributes. */
  attributes?: Readonly<Record<string, string>> | undefined;
  startedAt?: Date | undefined;
  completedAt?: Date | undefined;
  durationMs?: number | undefined;
  /** The caller's deadline. */
  timeoutMs?: number | undefined;
  attempt?: number | undefined;
  sequence?: bigint | undefined;
}

/** What vitest and Jest give a matcher, as far as it is used. */
interface MatcherState {
  equals(actual: unknown, expected: unknown): boolean;
}

/** What a matcher answers. */
interface MatcherResult {
  readonly pass: boolean;
  readonly message: () => string;
}

/**
 * Matchers for vitest and Jest. `toMatchSessionActivity` tells whether a value is an event that has what is expected.
 *
 * @example
 * expect.extend(sessionActivityMatchers);
 * expect(event).toMatchSessionActivity({ action: "change_password", status: "PERMISSION_DENIED" });
 */
export const sessionActivityMatchers: {
  toMatchSessionActivity(this: MatcherState, received: unknown, expected: ExpectedSessionActivity): MatcherResult;
} = {
  toMatchSessionActivity(received, expected) {
    if (!isMessage(received, SessionActivityEventSchema)) {
      const message = `expected a session activity event, got ${inspect(received, { depth: 0 })}`;
      return { pass: false, message: () => message };
    }
    const differences = Object.entries(expected).flatMap(([name, value]) => {
      const wanted = normalize(name, value);
      const actual = read(received, name, wanted);
      return this.equals(actual, wanted) ? [] : [`  ${name}: ${inspect(wanted)}, got ${inspect(actual)}`];
    });
    const pass = differences.length === 0;
    const message = pass
      ? `expected a session activity event without ${inspect(expected)}`
      : `expected a session activity event with\n${differences.join("\n")}`;
    return { pass, message: () => message };
  },
};

/** A method stands for its procedure. */
function normalize(name: string, value: unknown): unknown {
  return name === "procedure" && isMethod(value) ? procedureOf(value) : value;
}

function isMethod(value: unknown): value is DescMethod {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "rpc";
}

/** What the event has under this name, in the form in which it is expected. */
function read(event: SessionActivityEvent, name: string, expected: unknown): unknown {
  const { startedAt, completedAt, duration, timeout } = event;
  switch (name) {
    case "context":
      return contextOf(event, expected);
    case "startedAt":
      return startedAt && timestampDate(startedAt);
    case "completedAt":
      return completedAt && timestampDate(completedAt);
    case "durationMs":
      return duration && inMs(duration);
    case "timeoutMs":
      return timeout && inMs(timeout);
    default:
      return Reflect.get(event, name);
  }
}

/** The oldest protobuf-es has no function for this. */
function inMs({ seconds, nanos }: Duration): number {
  return Number(seconds) * 1_000 + nanos / 1e6;
}

/** The expected fields of the session context, or what kept it from being decoded. */
function contextOf({ encodedSessionContext }: SessionActivityEvent, expected: unknown): unknown {
  try {
    const context = decodeSessionContext(encodedSessionContext);
    // An asymmetric matcher looks at it as a whole.
    if (typeof expected !== "object" || expected === null || "asymmetricMatch" in expected) return context;
    return Object.fromEntries(Object.keys(expected).map((name) => [name, Reflect.get(context, name)]));
  } catch (error) {
    return error;
  }
}
