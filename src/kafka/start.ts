import { createTroubleLog } from "../base/log.js";
import { readMs } from "../base/option-checks.js";
import type { Publisher, PublisherStats } from "../publishing/publisher.js";
import { createSessionActivityInterceptor, type SessionActivityInterceptor } from "../service/interceptor.js";
import type { SessionActivityInterceptorOptions } from "../service/interceptor-options.js";
import { sessionTrackingFromEnv } from "./environment/environment.js";
import { createKafkaPublisher } from "./publisher/kafka-publisher.js";
import type { SessionTrackingOptions } from "./tracking-options.js";

/** Session tracking for one service: the interceptor, and where its events go. */
export interface SessionTracking {
  /** Put it first among the service's interceptors, and its `contextValues` into the adapter. */
  readonly interceptor: SessionActivityInterceptor;
  /** Where the events go. */
  readonly publisher: Publisher;
  /**
   * Waits for the tracked calls that are open, then delivers what can be delivered in time, and always resolves: with the
   * publisher's counts. Abort the `shutdownSignal` and close the server before. Idempotent.
   */
  close(): Promise<PublisherStats>;
}

/**
 * Starts session tracking, by default as the environment says: see `sessionTrackingFromEnv`.
 *
 * Never waits: where the broker is down, events queue. Where no brokers are configured, calls run, one warning says so, and
 * events are counted as dropped; the Kafka client need not even be installed.
 *
 * Throws a TypeError for wrong options or variables, and an Error where brokers are configured and the Kafka client cannot be
 * loaded.
 */
export function startSessionTracking(options: SessionTrackingOptions = sessionTrackingFromEnv()): SessionTracking {
  const { service = "", kafka = {}, log, drainTimeoutMs, ...interception } = options;
  const drainMs = readMs("drainTimeoutMs", drainTimeoutMs, interception.settleTimeoutMs ?? 10_000);
  const { brokers, ...kafkaOptions } = kafka;
  const publisher = hasBrokers(brokers)
    ? createKafkaPublisher({ ...kafkaOptions, clientId: kafkaOptions.clientId ?? (service || undefined), brokers, log })
    : createNoPublisher(service, log);
  const interceptor = startInterceptor({ ...interception, service, publisher, log });

  let closed: Promise<PublisherStats> | undefined;
  return {
    interceptor,
    publisher,
    close() {
      closed ??= interceptor.drain(drainMs).then(() => publisher.close());
      return closed;
    },
  };
}

function startInterceptor(
  options: SessionActivityInterceptorOptions & { publisher: Publisher },
): SessionActivityInterceptor {
  try {
    return createSessionActivityInterceptor(options);
  } catch (error) {
    // A producer that nobody closes would keep the process from ending.
    void options.publisher.close();
    throw error;
  }
}

function hasBrokers(brokers: string | readonly string[] | undefined): brokers is string | readonly string[] {
  return brokers !== undefined && brokers.length > 0;
}

/** What stands for a publisher where no brokers are configured: it counts. */
function createNoPublisher(service: string, log: SessionTrackingOptions["log"]): Publisher {
  createTroubleLog(log).warn(
    "no_brokers",
    { service },
    "no Kafka brokers are configured: session activity is not recorded",
  );
  let offered = 0;
  const stats = (): PublisherStats => ({
    offered,
    delivered: 0,
    dropped: offered > 0 ? { no_brokers: offered } : {},
    queued: 0,
  });
  return {
    publish(_, settled) {
      offered += 1;
      settled?.("no_brokers");
    },
    stats,
    close: () => Promise.resolve(stats()),
  };
}
