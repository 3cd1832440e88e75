import { createTroubleLog } from "../base/log.js";
import { readOptions } from "../base/options.js";
import type { Publisher, PublisherStats } from "../publishing/publisher.js";
import { createSessionActivityInterceptor, type SessionActivityInterceptor } from "../service/interceptor.js";
import { onTopOf, sessionTrackingFromEnv } from "./environment/kafka-environment.js";
import { createKafkaPublisher } from "./publisher/kafka-publisher.js";
import { type SessionTrackingOptions, type TrackingSettings, trackingTable } from "./tracking-options.js";

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
 * Starts session tracking. What is not given comes from the environment, then from the defaults.
 *
 * Never waits: if the broker is down, events queue. If no brokers are configured, calls run, one warning says so, and events are
 * counted as dropped. The Kafka client need not even be installed then.
 *
 * Throws an `OptionError` for wrong options or variables, and an Error if brokers are configured and the Kafka client cannot be
 * loaded.
 */
export function startSessionTracking(options: SessionTrackingOptions = {}): SessionTracking {
  const settings = trackingSettings(options);
  const { service, log, drainTimeoutMs = settings.settleTimeoutMs } = settings;
  const { brokers, clientId = service, ...kafka } = settings.kafka;
  const publisher =
    brokers === "" ? createNoPublisher(service, log) : createKafkaPublisher({ ...kafka, clientId, brokers, log });
  const interceptor = createSessionActivityInterceptor({ ...settings, required: [...settings.required], publisher });

  let closed: Promise<PublisherStats> | undefined;
  return {
    interceptor,
    publisher,
    close() {
      closed ??= interceptor.drain(drainTimeoutMs).then(() => publisher.close());
      return closed;
    },
  };
}

/** The options on top of the environment, checked and completed. Nothing has begun when this throws. */
function trackingSettings(options: SessionTrackingOptions): TrackingSettings {
  const { env, ...given } = options;
  const beneath = env === false ? {} : sessionTrackingFromEnv(env);
  return readOptions("startSessionTracking", trackingTable, onTopOf(beneath, given));
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
