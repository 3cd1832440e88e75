import type { Interceptor, StreamRequest, UnaryRequest } from "@connectrpc/connect";
import { type OptionsOf, objectWith, readOptions } from "../base/options.js";
import { sessionHeaders, stripSessionHeaders } from "../contract/headers.js";
import { procedureOf } from "../contract/procedure.js";
import type { SessionSigner } from "../contract/signed-mark.js";
import { type FakeSession, markHeaders, operationOption, sessionOption } from "./mark-headers.js";

type FakeCall = UnaryRequest | StreamRequest;

/** Options of `createFakeGateway`. */
export interface FakeGatewayOptions {
  /**
   * The session that the calls belong to, or a function that gives it for each call. A call for which that gives undefined is
   * not marked.
   *
   * @default { sessionId: "test-session", userId: "test-user" }
   */
  session?: FakeSession | ((call: FakeCall) => FakeSession | undefined) | undefined;
  /**
   * The label of the calls, or a function that gives it for each call.
   *
   * @default none
   */
  operation?: string | ((call: FakeCall) => string | undefined) | undefined;
  /** Signs the marks, for services that verify them. @default they are not signed */
  sign?: SessionSigner | undefined;
}

interface FakeGatewaySettings {
  readonly session: (call: FakeCall) => FakeSession | undefined;
  readonly operation: (call: FakeCall) => string | undefined;
  readonly sign: SessionSigner | undefined;
}

const fakeGatewayTable: OptionsOf<FakeGatewaySettings> = {
  session: {
    meaning: sessionOption.meaning,
    expects: `${sessionOption.expects}, or a function that gives one`,
    byDefault: () => sessionOption.byDefault,
    read: (value) => constantOrFunction(value, sessionOption.read),
  },
  operation: {
    meaning: operationOption.meaning,
    expects: `${operationOption.expects}, or a function that gives one`,
    byDefault: () => undefined,
    read: (value) => constantOrFunction(value, operationOption.read),
  },
  sign: objectWith<SessionSigner>(["sign"], {
    meaning: "Signs the marks",
    expects: "a SessionSigner, which createSessionSigner makes",
  }),
};

function constantOrFunction<T>(
  value: unknown,
  read: (value: unknown) => T | undefined,
): ((call: FakeCall) => T) | undefined {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  if (typeof value === "function") return value as (call: FakeCall) => T;
  const constant = read(value);
  return constant === undefined ? undefined : () => constant;
}

/**
 * Creates the client interceptor of a gateway for tests. It marks every call of the client that it is given to, where the real
 * one marks those of chosen methods.
 *
 * Where the real one sends a call without a mark, this throws: in a test, that is a mistake.
 *
 * @example
 * let country = "DE";
 * const gateway = createFakeGateway({ session: () => ({ sessionId: "session-1", country }) });
 * const transport = createConnectTransport({ baseUrl, httpVersion: "2", interceptors: [gateway] });
 */
export function createFakeGateway(options: FakeGatewayOptions = {}): Interceptor {
  const { session, operation, sign } = readOptions("createFakeGateway", fakeGatewayTable, options);
  return (next) => async (call) => {
    stripSessionHeaders(call.header);
    const given = session(call);
    if (given === undefined) return next(call);
    const headers = markHeaders({ session: given, operation: operation(call) });
    for (const [name, value] of Object.entries(headers)) call.header.set(name, value);
    if (sign !== undefined) call.header.set(sessionHeaders.signature, await signatureOf(sign, headers, call));
    return next(call);
  };
}

function signatureOf(sign: SessionSigner, headers: Readonly<Record<string, string>>, call: FakeCall): Promise<string> {
  const { [sessionHeaders.context]: context = "", [sessionHeaders.operation]: operation } = headers;
  return sign.sign({ context, operation, procedure: procedureOf(call.method) });
}
