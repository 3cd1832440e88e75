import type { Interceptor } from "@connectrpc/connect";
import { stripSessionHeaders } from "../contract/headers.js";

/** Counts of a guard since its creation. */
export interface SessionGuardStats {
  /** Calls that came with session headers. */
  readonly calls: number;
  /** Session headers dropped. */
  readonly headers: number;
}

/** The guard, with its counts. */
export type SessionGuardInterceptor = Interceptor & {
  /** The counts at this moment. */
  stats(): SessionGuardStats;
};

/**
 * Creates the interceptor for a server at the edge, where no caller may set session headers: it drops the four of them
 * before anything reads them. Put it first. The caller notices nothing.
 *
 * Where a proxy stands at the edge, it should drop them itself; this is for servers that clients reach directly.
 */
export function createSessionGuardInterceptor(): SessionGuardInterceptor {
  const counts = { calls: 0, headers: 0 };
  const interceptor: Interceptor = (next) => (call) => {
    const dropped = stripSessionHeaders(call.header);
    if (dropped > 0) counts.calls += 1;
    counts.headers += dropped;
    return next(call);
  };
  return Object.assign(interceptor, { stats: (): SessionGuardStats => ({ ...counts }) });
}
