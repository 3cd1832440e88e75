import { onTopOfEnvironment } from "../base/environment.js";
import { createTroubleLog } from "../base/log.js";
import { maxInt32, readOptions } from "../base/options.js";
import type { DropReason, Publisher, PublisherProblem, PublisherStats } from "../publishing/publisher.js";
import { buildInterceptor } from "../service/interceptor.js";
import { Shutdown } from "../service/shutdown.js";
import { createTracking, type SessionTracking } from "../service/tracking.js";
import { createDurablePublisher } from "../spool/durable-publisher.js";
import { createRunRecorder, takesRuns } from "../trail/run-recorder.js";
import { isKafkaClientError } from "./client/client-error.js";
import type { KafkaTrouble } from "./client/kafka-troubles.js";
import { sessionTrackingFromEnv } from "./environment/kafka-environment.js";
import { createPublisherWithRuns } from "./publisher/kafka-publisher.js";
import { type SessionTrackingOptions, type TrackingSettings, trackingTable } from "./tracking-options.js";

/**
 * Starts session tracking. What is not given comes from the environment, then from the defaults.
 *
 * Never waits: if the broker is down, events queue. If no brokers are configured, or if the Kafka client cannot be used, calls
 * run, one line in the log says so and what to do, and events are counted as dropped. See `ready`.
 *
 * Throws an `OptionError` for wrong options or variables, and an Error if librdkafka refuses a property.
 */
export function startSessionTracking(options: SessionTrackingOptions = {}): SessionTracking {
  const { kafka: kafkaSettings, spool, drainTimeoutMs, ...settings } = trackingSettings(options);
  const events = withSpool(publisherOf(kafkaSettings, settings), spool, settings.log);
  const recorder = takesRuns(events) ? createRunRecorder({ publisher: events, log: settings.log }) : undefined;
  const publisher = recorder ?? events;
  const shutdown = new Shutdown(settings);
  const interceptor = buildInterceptor({ ...settings, publisher }, shutdown);
  recorder?.start({
    instanceId: interceptor.instanceId,
    service: settings.service,
    counts: () => interceptor.stats(),
  });
  return createTracking({
    interceptor,
    publisher,
    shutdown,
    drainTimeoutMs: drainTimeoutMs ?? settings.settleTimeoutMs,
    publisherCloseMs: Math.min(maxInt32, kafkaSettings.closeTimeoutMs + ownCloseMs),
    log: settings.log,
  });
}

/** The options on top of the environment, checked and completed. Nothing has begun when this throws. */
function trackingSettings(options: SessionTrackingOptions): TrackingSettings {
  return readOptions("startSessionTracking", trackingTable, onTopOfEnvironment(options, sessionTrackingFromEnv));
}

/** The Kafka client, and a spool before and after it, take so long to end at the most, beside delivering. */
const ownCloseMs = 20_000;

/** The Kafka publisher, or what stands for it. */
function publisherOf(
  { brokers, clientId, runsTopic, ...kafka }: TrackingSettings["kafka"],
  { service, env, log }: Pick<TrackingSettings, "service" | "env" | "log">,
): Publisher {
  const trouble = createTroubleLog<KafkaTrouble>(log);
  if (brokers === "") {
    const advice = `${env === false ? "" : "set SESSION_TRACKING_KAFKA_BROKERS, or "}give kafka.brokers`;
    trouble.warn("no_brokers", { service }, `no Kafka brokers, so session activity is not recorded: ${advice}`);
    return createNoPublisher("no_brokers");
  }
  try {
    return createPublisherWithRuns({ ...kafka, clientId: clientId ?? service, brokers, log }, runsTopic || undefined);
  } catch (error) {
    if (!isKafkaClientError(error)) throw error;
    const { code, message } = error;
    trouble.error("no_client", { service, code }, `session activity is not recorded. ${message}`);
    return createNoPublisher("no_client");
  }
}

/** Without brokers, nothing would ever leave a spool. */
function withSpool(
  publisher: Publisher,
  { directory, ...spool }: TrackingSettings["spool"],
  log: SessionTrackingOptions["log"],
): Publisher {
  if (directory === undefined || publisher.problem?.() === "no_brokers") return publisher;
  return createDurablePublisher({ ...spool, directory, publisher, log });
}

/** What stands for a publisher if there can be none: it counts. */
function createNoPublisher(reason: DropReason & PublisherProblem): Publisher {
  let offered = 0;
  const stats = (): PublisherStats => ({
    offered,
    delivered: 0,
    dropped: offered > 0 ? { [reason]: offered } : {},
    queued: 0,
  });
  return {
    publish(record, settled) {
      offered += 1;
      settled?.(reason, record);
    },
    problem: () => reason,
    stats,
    close: () => Promise.resolve(stats()),
  };
}
