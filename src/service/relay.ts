import { AsyncLocalStorage } from "node:async_hooks";
import type { ContextValues, Interceptor } from "@connectrpc/connect";
import type { Logger } from "../base/log.js";
import { createTroubleLog } from "../base/log.js";
import { logOption, type OptionsOf, readOptions } from "../base/options.js";
import { maxContextBytesOption } from "../contract/bounds.js";
import { isContext, sessionHeaders } from "../contract/headers.js";
import { procedureOf } from "../contract/procedure.js";
import { sessionContextKey } from "../contract/session-context.js";
import type { ServiceTrouble } from "./service-troubles.js";

/** Options of {@link createSessionRelay}. */
export interface SessionRelayOptions {
  /**
   * The size of the largest context handed on, in bytes. By default, 8,192, as in gateways and services. A larger one, which a
   * stranger may have sent, stays here: with it, the downstream service could refuse the call.
   */
  maxContextBytes?: number | undefined;
  /** Takes warnings. By default, a line each on stderr; false silences them. */
  log?: Logger | false | undefined;
}

/** The options of a relay. */
export const relayTable: OptionsOf<{ maxContextBytes: number; log: Logger | false | undefined }> = {
  maxContextBytes: maxContextBytesOption("The largest session context that is handed on"),
  log: logOption,
};

/** Two interceptors that belong together. */
export interface SessionRelay {
  /** For the server: remembers the call that is being handled. */
  readonly server: Interceptor;
  /** For clients that handlers use: sends the session context of that call. */
  readonly client: Interceptor;
}

/** The call that is being handled. */
interface Inbound {
  readonly header: Headers;
  readonly contextValues: ContextValues;
}

/**
 * Creates the pair of interceptors that hands `x-session-context` on to the calls that a handler makes, and nothing else:
 * the mark ends here, so internal calls stay silent.
 *
 * Place the server interceptor after the session activity interceptor or before it, and the client interceptor on every
 * client whose service is inside the mesh. A client call that sets the header itself keeps it; a call made outside of any
 * handler gets none.
 *
 * The price is that of an AsyncLocalStorage, and a run of it per streamed message. Throws a TypeError for options that are
 * wrong, and on calls never.
 */
export function createSessionRelay(options: SessionRelayOptions = {}): SessionRelay {
  const { maxContextBytes, log: logger } = readOptions("createSessionRelay", relayTable, options);
  const log = createTroubleLog<ServiceTrouble>(logger);
  const current = new AsyncLocalStorage<Inbound>();

  const server: Interceptor = (next) => async (call) => {
    const inbound: Inbound = { header: call.header, contextValues: call.contextValues };
    const run = <T>(work: () => T): T => current.run(inbound, work);
    const answer = await run(() => next(call));
    return answer.stream ? { ...answer, message: runEachStep(answer.message, run) } : answer;
  };

  const client: Interceptor = (next) => (call) => {
    const context = contextOf(current.getStore());
    if (!context || call.header.has(sessionHeaders.context)) return next(call);
    if (context.length <= maxContextBytes && isContext(context)) {
      call.header.set(sessionHeaders.context, context);
    } else {
      const details = { procedure: procedureOf(call.method), maxContextBytes };
      log.warn("not_relayed", details, "a session context is too large, or no visible ASCII: it is not handed on");
    }
    return next(call);
  };

  return { server, client };
}

/** Reads the context when it is needed: by then, the session activity interceptor has taken away what it does not trust. */
function contextOf(inbound: Inbound | undefined): string | null | undefined {
  return inbound?.contextValues.get(sessionContextKey) ?? inbound?.header.get(sessionHeaders.context);
}

/**
 * Lets each step of a stream run by itself. The handler of a response stream has not begun when `next` resolves, and goes
 * on in the async context of whoever takes its next message.
 */
function runEachStep<T>(source: AsyncIterable<T>, run: <R>(work: () => R) => R): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = run(() => source[Symbol.asyncIterator]());
      const steps: AsyncIterator<T> = { next: () => run(() => iterator.next()) };
      const { throw: throwInto, return: close } = iterator;
      if (throwInto) steps.throw = (error: unknown) => run(() => throwInto.call(iterator, error));
      if (close) steps.return = (value: unknown) => run(() => close.call(iterator, value));
      return steps;
    },
  };
}
