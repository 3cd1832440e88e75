import type { Interceptor } from "@connectrpc/connect";
import { ConnectError } from "@connectrpc/connect";
import { createMemoryPublisher, createSessionActivityInterceptor, statusName } from "../../../src/index.js";
import { buildInterceptor } from "../../../src/service/interceptor.js";
import { interceptorSettings } from "../../../src/service/interceptor-options.js";
import { Shutdown } from "../../../src/service/shutdown.js";
import { createTracking } from "../../../src/service/tracking.js";
import { settleTimeoutMs } from "./endings.js";
import type { Subject } from "./run-matrix.js";

/** Ours, with or without Node's view of the call. */
export function ours(withContextValues: boolean): (shutdown: AbortSignal) => Subject {
  return (shutdownSignal) => {
    const publisher = createMemoryPublisher();
    const interceptor = createSessionActivityInterceptor({
      service: "account-service",
      publisher,
      shutdownSignal,
      settleTimeoutMs,
      log: false,
    });
    return {
      interceptor,
      contextValues: withContextValues ? (request) => interceptor.contextValues(request) : undefined,
      settle: () => interceptor.drain(settleTimeoutMs + 2_000),
      events: publisher.events,
    };
  };
}

/** Ours, as startSessionTracking wires it: it sees connections from their start. */
export function wired(): Subject {
  const publisher = createMemoryPublisher();
  const shutdown = new Shutdown();
  const settings = interceptorSettings({ service: "account-service", publisher, settleTimeoutMs, log: false });
  const interceptor = buildInterceptor(settings, shutdown);
  const tracking = createTracking({
    interceptor,
    publisher,
    shutdown,
    drainTimeoutMs: settleTimeoutMs,
    log: settings.log,
  });
  return {
    interceptor,
    contextValues: (request) => interceptor.contextValues(request),
    watch: (server) => void tracking.watch(server),
    settle: () => interceptor.drain(settleTimeoutMs + 2_000),
    events: publisher.events,
  };
}

/** What one writes first: try and catch around `next`, and a generator around the messages. */
export function naive(): Subject {
  const events: { encodedSessionContext: string; status: string; handlerStatus: string }[] = [];
  const interceptor: Interceptor = (next) => async (request) => {
    const publish = (error?: unknown): void => {
      events.push({
        encodedSessionContext: request.header.get("x-session-context") ?? "",
        status: error === undefined ? "OK" : statusName(ConnectError.from(error).code),
        handlerStatus: "",
      });
    };
    try {
      const response = await next(request);
      if (!response.stream) {
        publish();
        return response;
      }
      async function* observed(messages: AsyncIterable<never>): AsyncIterable<never> {
        try {
          yield* messages;
          publish();
        } catch (error) {
          publish(error);
          throw error;
        }
      }
      return { ...response, message: observed(response.message as AsyncIterable<never>) };
    } catch (error) {
      publish(error);
      throw error;
    }
  };
  return { interceptor, events, settle: () => Promise.resolve() };
}
