import type { Logger } from "../base/log.js";
import type { SessionActivityInterceptorOptions } from "../service/interceptor-options.js";
import type { KafkaPublisherOptions } from "./publisher/publisher-options.js";

/** Where `startSessionTracking` publishes to: the options of the Kafka publisher, of which none is needed. */
export interface SessionTrackingKafkaOptions extends Omit<KafkaPublisherOptions, "brokers" | "log"> {
  /**
   * Addresses to start from, as `host:port`, in one string joined by commas or as an array.
   *
   * By default none: no event is published, each is counted as dropped with the reason `no_brokers`, and the Kafka client is
   * never loaded.
   */
  brokers?: string | readonly string[] | undefined;
}

/** Options of `startSessionTracking`. */
export interface SessionTrackingOptions
  extends Pick<SessionActivityInterceptorOptions, "required" | "verify" | "maxUnverifiedPerMinute" | "recordContext"> {
  /** The service's name in its events, for example `user-service`. By default, and where it is empty, `unknown-service`. */
  service?: string | undefined;
  /** The signal that ends the server's calls: the one given to the Connect adapter as `shutdownSignal`. */
  shutdownSignal?: AbortSignal | undefined;
  /** The reason that the adapter ends calls with at shutdown, where it is not the signal's own: fastify's is matched by identity. */
  shutdownError?: unknown;
  /** How long an event waits for a handler whose caller is gone. By default, 10,000 ms. */
  settleTimeoutMs?: number | undefined;
  /** The longest session context that an event carries; above it the event says `too_large`. By default, 8,192 bytes. */
  maxContextBytes?: number | undefined;
  /**
   * How long `close` waits for tracked calls that are still open. What still is by then is published as `UNSETTLED`.
   *
   * By default as long as `settleTimeoutMs`: a handler whose caller is gone gets the same time at shutdown as at any other
   * moment. `close` as a whole takes at most this and the `closeTimeoutMs` of `kafka`.
   */
  drainTimeoutMs?: number | undefined;
  /** Where the events go. By default nowhere, see `brokers`. */
  kafka?: SessionTrackingKafkaOptions | undefined;
  /** Receives warnings and errors. By default they go to stderr, a line each; `false` silences them. */
  log?: Logger | false | undefined;
}
