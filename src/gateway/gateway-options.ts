import type { DescMethod, MessageInitShape } from "@bufbuild/protobuf";
import type { StreamRequest, UnaryRequest } from "@connectrpc/connect";
import type { SessionContextSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import type { Logger } from "../base/log.js";
import { describe, wrongOption } from "../base/option-error.js";
import { callback, logOption, type OptionsOf, objectWith, readOptions } from "../base/options.js";
import { maxContextBytesOption } from "../contract/bounds.js";
import { isOperation } from "../contract/headers.js";
import { procedureOf } from "../contract/procedure.js";
import type { SessionSigner } from "../contract/signed-mark.js";

/** Options of `createSessionGatewayInterceptor`. */
export interface SessionGatewayOptions {
  /**
   * Gives the session that a call belongs to: a session context, or a string if the gateway has an encoding of its own.
   * Undefined if there is none: the call is not marked. Called for the calls that are marked only.
   */
  session: (call: UnaryRequest | StreamRequest) => MessageInitShape<typeof SessionContextSchema> | string | undefined;
  /**
   * Further methods whose calls are marked, each with its label in the events. A Map does, and so does an array of pairs.
   *
   * It is for schemas that are not yours. Methods with the option `(sessionactivity.v1.activity)` are marked anyway, with the
   * operation that stands there. If such a method is here, too, it has the label given here.
   *
   * @default none
   * @example
   * operations: [[AccountService.method.changePassword, "change_password"]]
   */
  operations?: Iterable<readonly [DescMethod, string]> | undefined;
  /** Signs the marks. By default, they are not signed, and services that verify signatures do not trust them. */
  sign?: SessionSigner | undefined;
  /**
   * The size of the largest context sent, in bytes. A call with a larger one is sent without a mark.
   *
   * @default 8192, as in the services
   */
  maxContextBytes?: number | undefined;
  /** Takes warnings and errors. `false` silences them. @default a line each on stderr */
  log?: Logger | false | undefined;
}

/** The options, checked and completed. */
export interface GatewaySettings {
  readonly session: SessionGatewayOptions["session"];
  /** Labels by procedure. */
  readonly operations: ReadonlyMap<string, string>;
  readonly sign: SessionSigner | undefined;
  readonly maxContextBytes: number;
  readonly log: Logger | false | undefined;
}

/** What the table makes. The pairs are read one by one, so that an error can name the one that is wrong. */
interface GivenSettings extends Omit<GatewaySettings, "operations"> {
  readonly operations: readonly unknown[];
}

const pairs = "pairs of a method and its label, in a Map or an array";

/** The options of the gateway. */
export const gatewayTable: OptionsOf<GivenSettings> = {
  session: callback({ meaning: "Gives the session that a call belongs to", required: true }),
  operations: {
    meaning: "Methods whose calls are marked beside those whose schema says so, each with its label in the events",
    expects: pairs,
    byDefault: [],
    defaultText: "none",
    read: (value) => (isIterable(value) ? [...value] : undefined),
    advice: (value) =>
      describe(value) === "an object" ? 'such as [[AccountService.method.login, "login"]]' : undefined,
  },
  sign: objectWith<SessionSigner>(["sign"], {
    meaning: "Signs the marks",
    expects: "a SessionSigner, which createSessionSigner makes",
    defaultText: "they are not signed",
  }),
  maxContextBytes: maxContextBytesOption("The largest session context that is sent"),
  log: logOption,
};

/** Checks and completes the options. Throws an `OptionError` that names the option. */
export function gatewaySettings(options: SessionGatewayOptions): GatewaySettings {
  const { operations, ...settings } = readOptions("createSessionGatewayInterceptor", gatewayTable, options);
  return { ...settings, operations: new Map(operations.map(readOperation)) };
}

function readOperation(pair: unknown, index: number): [procedure: string, label: string] {
  const path = `operations[${index}]`;
  const [method, label]: unknown[] = Array.isArray(pair) ? pair : [];
  if (!isMethod(method)) {
    throw wrongOption(path, "a pair whose first part is a method, such as AccountService.method.login", method ?? pair);
  }
  if (typeof label !== "string" || !isOperation(label)) {
    const expected = `a label for ${procedureOf(method)} of 1 to 128 of A-Z a-z 0-9 _ . : / -`;
    throw wrongOption(path, expected, label);
  }
  return [procedureOf(method), label];
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === "object" && value !== null && typeof Reflect.get(value, Symbol.iterator) === "function";
}

function isMethod(value: unknown): value is DescMethod {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "rpc";
}
