import {
  createMemoryPublisher,
  createSessionActivityInterceptor,
  type Logger,
  type MemoryPublisher,
  type SessionActivityInterceptor,
  type SessionActivityInterceptorOptions,
} from "../../src/index.js";

/** A handler that answers. */
export const ok = { changePassword: (): { revision: number } => ({ revision: 1 }) };

interface Tracked {
  readonly interceptor: SessionActivityInterceptor;
  readonly publisher: MemoryPublisher;
  readonly events: MemoryPublisher["events"];
  readonly warnings: { message: string; details: object }[];
  readonly adapter: {
    interceptors: SessionActivityInterceptor[];
    contextValues: SessionActivityInterceptor["contextValues"];
  };
}

/** An interceptor with its events and warnings, and what an adapter needs of it. */
export function tracking(options: Partial<SessionActivityInterceptorOptions> = {}): Tracked {
  const publisher = createMemoryPublisher();
  const warnings: { message: string; details: object }[] = [];
  const log: Logger = {
    debug() {},
    info() {},
    warn: (details, message) => void warnings.push({ details, message }),
    error: (details, message) => void warnings.push({ details, message }),
  };
  const interceptor = createSessionActivityInterceptor({ service: "account-service", publisher, log, ...options });
  const { contextValues } = interceptor;
  return {
    interceptor,
    publisher,
    events: publisher.events,
    warnings,
    adapter: { interceptors: [interceptor], contextValues },
  };
}
