import { onTopOfEnvironment } from "../base/environment.js";
import { createTroubleLog } from "../base/log.js";
import { readOptions } from "../base/options.js";
import type { Publisher, PublisherStats } from "../publishing/publisher.js";
import { buildInterceptor } from "../service/interceptor.js";
import { Shutdown } from "../service/shutdown.js";
import { createTracking, type SessionTracking } from "../service/tracking.js";
import type { KafkaTrouble } from "./client/kafka-troubles.js";
import { sessionTrackingFromEnv } from "./environment/kafka-environment.js";
import { createKafkaPublisher } from "./publisher/kafka-publisher.js";
import { type SessionTrackingOptions, type TrackingSettings, trackingTable } from "./tracking-options.js";

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
  const { kafka: kafkaSettings, drainTimeoutMs, ...settings } = trackingSettings(options);
  const { service, log } = settings;
  const { brokers, clientId = service, ...kafka } = kafkaSettings;
  const publisher =
    brokers === "" ? createNoPublisher(service, log) : createKafkaPublisher({ ...kafka, clientId, brokers, log });
  const shutdown = new Shutdown(settings);
  const interceptor = buildInterceptor({ ...settings, publisher }, shutdown);
  return createTracking({
    interceptor,
    publisher,
    shutdown,
    drainTimeoutMs: drainTimeoutMs ?? settings.settleTimeoutMs,
    log,
  });
}

/** The options on top of the environment, checked and completed. Nothing has begun when this throws. */
function trackingSettings(options: SessionTrackingOptions): TrackingSettings {
  return readOptions("startSessionTracking", trackingTable, onTopOfEnvironment(options, sessionTrackingFromEnv));
}

/** What stands for a publisher if no brokers are configured: it counts. */
function createNoPublisher(service: string, log: SessionTrackingOptions["log"]): Publisher {
  createTroubleLog<KafkaTrouble>(log).warn(
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
    problem: () => "no_brokers",
    stats,
    close: () => Promise.resolve(stats()),
  };
}
