import type { SessionActivityEvent } from "../../../gen/sessionactivity/v1/session_activity_pb.js";
import type { Logger } from "../../base/log.js";
import { readLog, wrongOption } from "../../base/option-checks.js";
import { brokersOption, integerOption, propertiesOption, stringOption, topicOption } from "../client/client-options.js";
import { type OAuthTokenProvider, oauthProperties, oauthTokenOption } from "../client/oauth-token.js";

/** The topic that publisher and consumer use where no other is named. */
export const defaultTopic = "session-activities";

/** Options of `createKafkaPublisher`. */
export interface KafkaPublisherOptions {
  /** Addresses to start from: `"host:9092,host2:9092"`, or an array of such. */
  brokers: string | readonly string[];
  /** The topic to publish to. By default, `session-activities`. */
  topic?: string | undefined;
  /** How the brokers' logs and quotas name this client. By default, `connect-session-activity`. */
  clientId?: string | undefined;
  /**
   * The record's key: events of one key keep their order and share a partition (chosen as Java clients do). By default there
   * is none, and events spread over all partitions. Undefined means none for this event. Where the function throws, the
   * event goes without a key.
   */
  key?: ((event: SessionActivityEvent) => string | undefined) | undefined;
  /**
   * Adds the headers of CloudEvents' binary mode: `ce_specversion`, `ce_type`, `ce_source`, `ce_id`, and `ce_time`, which is
   * when the call began. By default, false, since five headers cost about 5 µs and 200 bytes an event.
   */
  cloudEvents?: boolean | undefined;
  /**
   * How many events may wait for delivery; what comes on top is dropped as `queue_full`. By default, 50,000: 100 s of a full
   * outage at 500 events/s. An event takes about 0.5 KB beside its own bytes, so with the default of `maxQueuedBytes` a full
   * queue takes about 60 MB.
   */
  maxQueuedEvents?: number | undefined;
  /** How many bytes of encoded events and keys may wait for delivery. By default, 33,554,432 (32 MiB): 671 for each of 50,000. */
  maxQueuedBytes?: number | undefined;
  /**
   * How long an event is tried before it is dropped as `expired`. By default, 300,000 (5 minutes), so that the bounds above
   * decide in an outage, and not age: an event that expires may have arrived all the same, and makes Kafka's client send
   * again what was in flight with it. It is librdkafka's `message.timeout.ms`, and at least 10: it must be above `linger.ms`,
   * which is 5.
   */
  deliveryTimeoutMs?: number | undefined;
  /** How long `close()` goes on delivering. By default, 5,000; with 0 it drops what is queued. */
  closeTimeoutMs?: number | undefined;
  /**
   * Gives the tokens to log in with where the brokers ask for OAUTHBEARER, as Amazon MSK with IAM and OpenID Connect do.
   * Events queue until there is one. The tokens go over TLS, unless the properties say `security.protocol: sasl_plaintext`.
   */
  oauthToken?: OAuthTokenProvider | undefined;
  /**
   * Any librdkafka property, for example for TLS and SASL. They come last: they win over what this package sets. Not allowed
   * are those that it depends on: `dr_cb`, `dr_msg_cb`, `delivery.report.only.error` and `transactional.id`.
   */
  properties?: Readonly<Record<string, string | number | boolean>> | undefined;
  /** Where trouble is reported, each kind once a minute at most. By default, stderr; false for nowhere. */
  log?: Logger | false | undefined;
}

/** The options, checked and completed. */
export interface PublisherSettings {
  readonly brokers: string;
  readonly topic: string;
  readonly clientId: string;
  readonly key: ((event: SessionActivityEvent) => unknown) | undefined;
  readonly cloudEvents: boolean;
  readonly oauthToken: OAuthTokenProvider | undefined;
  readonly maxQueuedEvents: number;
  readonly maxQueuedBytes: number;
  readonly deliveryTimeoutMs: number;
  readonly closeTimeoutMs: number;
  readonly properties: Readonly<Record<string, string | number | boolean>>;
  readonly log: Logger | false | undefined;
}

/** What must stay as it is, or events would never be counted as delivered. */
const reservedProperties = ["dr_cb", "dr_msg_cb", "delivery.report.only.error", "transactional.id"];

/** librdkafka holds its bounds in 32 bits, and ours must fit beneath them. */
const maxInt32 = 2_147_483_647;

/** Checks and completes the options. Throws a `TypeError` that names the option. */
export function publisherSettings(options: KafkaPublisherOptions): PublisherSettings {
  const { key, cloudEvents = false } = options;
  if (key !== undefined && typeof key !== "function") throw wrongOption("key", "a function", key);
  if (typeof cloudEvents !== "boolean") throw wrongOption("cloudEvents", "a boolean", cloudEvents);
  const properties = propertiesOption(options.properties, reservedProperties);
  const oauthToken = oauthTokenOption(options.oauthToken, properties);
  const integer = (name: IntegerOption, defaultValue: number, min: number, max: number): number =>
    integerOption(name, options[name], { default: defaultValue, min, max });
  return {
    brokers: brokersOption(options.brokers),
    topic: topicOption(options.topic, defaultTopic),
    clientId: stringOption("clientId", options.clientId, "connect-session-activity"),
    key,
    cloudEvents,
    oauthToken,
    maxQueuedEvents: integer("maxQueuedEvents", 50_000, 1, maxInt32 - queueSlack),
    maxQueuedBytes: integer("maxQueuedBytes", 32 * 1024 * 1024, 1, maxInt32),
    deliveryTimeoutMs: integer("deliveryTimeoutMs", 300_000, 10, maxInt32),
    closeTimeoutMs: integer("closeTimeoutMs", 5_000, 0, maxInt32),
    properties: { ...properties, ...oauthProperties(oauthToken, properties) },
    log: readLog(options.log),
  };
}

type IntegerOption = "maxQueuedEvents" | "maxQueuedBytes" | "deliveryTimeoutMs" | "closeTimeoutMs";

/** By how much librdkafka's own bounds lie above ours: checking a counter costs 0.05 µs, letting it refuse costs 5 to 13. */
export const queueSlack = 1_000;
