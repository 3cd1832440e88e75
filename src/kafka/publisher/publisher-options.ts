import type { SessionActivityEvent } from "../../../gen/sessionactivity/v1/session_activity_pb.js";
import type { Logger } from "../../base/log.js";
import {
  callback,
  flag,
  logOption,
  milliseconds,
  type OptionsOf,
  oneOf,
  readOptions,
  wholeNumber,
} from "../../base/options.js";
import {
  brokersOption,
  clientIdOption,
  defaultTopic,
  type KafkaProperties,
  propertiesOption,
  topicOption,
} from "../client/client-options.js";
import { type OAuthTokenProvider, oauthTokenOption, withOAuth } from "../client/oauth-token.js";
import { type SchemaId, schemaIdOption } from "../client/schema-frame.js";

/** How batches of records are compressed. `zstd` needs a Kafka client that was built with it. */
export type KafkaCompression = "none" | "gzip" | "snappy" | "lz4" | "zstd";

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
   * is none, and events spread over all partitions. Undefined means none for this event. If the function throws, the
   * event goes without a key.
   */
  key?: ((event: SessionActivityEvent) => string | undefined) | undefined;
  /**
   * Adds the headers of CloudEvents' binary mode: `ce_specversion`, `ce_type`, `ce_source`, `ce_id`, and `ce_time`, which is
   * when the call began. By default, false, since five headers cost about 5 µs and 200 bytes an event.
   */
  cloudEvents?: boolean | undefined;
  /**
   * The schema of the events in a Schema Registry: the number of Confluent's registry, or the schema's GUID. Records then say
   * so, and the registry's readers decode them. Nothing asks the registry: register `session_activity.proto` once, and give its
   * id here.
   *
   * @default none: records name no schema
   * @example schemaId: 42
   */
  schemaId?: number | string | undefined;
  /**
   * Where the schema's id stands: in the header `__value_schema_id`, which leaves the value what every reader knows, or as a
   * prefix of the value, as readers want it that know no headers. This package's readers take both.
   *
   * @default "header"
   */
  schemaIdIn?: "header" | "prefix" | undefined;
  /**
   * How batches are compressed. Some brokers take one kind only, such as Azure Event Hubs, which takes `"gzip"`.
   *
   * @default "lz4"
   */
  compression?: KafkaCompression | undefined;
  /**
   * How many events may wait for delivery; what comes on top is dropped as `queue_full`. By default, 50,000: 100 s of a full
   * outage at 500 events/s. An event takes about 0.5 KB beside its own bytes, so with the default of `maxQueuedBytes` a full
   * queue takes about 60 MB. With run records it is about twice that, since events are also kept until it is known what became of
   * them.
   */
  maxQueuedEvents?: number | undefined;
  /** How many bytes of encoded events and keys may wait for delivery. By default, 33,554,432 (32 MiB): 671 for each of 50,000. */
  maxQueuedBytes?: number | undefined;
  /**
   * How long an event is tried before it is dropped as `expired`. By default, 300,000 (5 minutes), so that the bounds above
   * decide in an outage, and not age: an event that expires may have arrived all the same, and makes Kafka's client send
   * again what was in flight with it. It is librdkafka's `message.timeout.ms`, and at least 100: it must be above `linger.ms`,
   * which is 50.
   */
  deliveryTimeoutMs?: number | undefined;
  /** How long `close()` goes on delivering. By default, 5,000; with 0 it drops what is queued. */
  closeTimeoutMs?: number | undefined;
  /**
   * Gives the tokens to log in with if the brokers ask for OAUTHBEARER, as Amazon MSK with IAM and OpenID Connect do.
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
  readonly key: ((event: SessionActivityEvent) => string | undefined) | undefined;
  readonly cloudEvents: boolean;
  readonly schemaId: SchemaId | undefined;
  readonly schemaIdIn: "header" | "prefix";
  readonly oauthToken: OAuthTokenProvider | undefined;
  readonly maxQueuedEvents: number;
  readonly maxQueuedBytes: number;
  readonly deliveryTimeoutMs: number;
  readonly closeTimeoutMs: number;
  readonly compression: KafkaCompression;
  readonly properties: KafkaProperties;
  readonly log: Logger | false | undefined;
}

/** What must stay as it is, or events would never be counted as delivered. */
const reservedProperties = ["dr_cb", "dr_msg_cb", "delivery.report.only.error", "transactional.id"];

/** By how much librdkafka's own bounds lie above ours: checking a counter costs 0.05 µs, letting it refuse costs 5 to 13. */
export const queueSlack = 1_000;

/** How long librdkafka holds an event back, so that others can go along in one batch. A flush does not wait for it. */
export const lingerMs = 50;

/** The options of the publisher. */
export const publisherTable: OptionsOf<PublisherSettings> = {
  brokers: brokersOption,
  topic: topicOption({ meaning: "The topic that events go to", byDefault: defaultTopic, variable: "KAFKA_TOPIC" }),
  clientId: clientIdOption,
  key: callback({ meaning: "Gives the key of an event's record: events of one key share a partition" }),
  cloudEvents: flag({ meaning: "Adds the CloudEvents headers to each record", variable: "KAFKA_CLOUD_EVENTS" }),
  schemaId: schemaIdOption,
  schemaIdIn: oneOf(["header", "prefix"], {
    meaning: "Where the schema's id stands: in a header, or before the value",
    byDefault: "header",
    variable: "KAFKA_SCHEMA_ID_IN",
  }),
  compression: oneOf(["none", "gzip", "snappy", "lz4", "zstd"], {
    meaning: "How batches are compressed",
    byDefault: "lz4",
    variable: "KAFKA_COMPRESSION",
  }),
  maxQueuedEvents: wholeNumber({
    meaning: "How many events may wait for Kafka; further ones are dropped and counted",
    unit: "events",
    byDefault: 50_000,
    max: 10_000_000,
    variable: "KAFKA_MAX_QUEUED_EVENTS",
  }),
  maxQueuedBytes: wholeNumber({
    meaning: "How many bytes of encoded events and keys may wait for Kafka",
    unit: "bytes",
    byDefault: 32 * 1024 * 1024,
    variable: "KAFKA_MAX_QUEUED_BYTES",
  }),
  deliveryTimeoutMs: wholeNumber({
    meaning: "How long an event may wait for Kafka; a short time loses and doubles events in an outage",
    unit: "milliseconds",
    byDefault: 300_000,
    min: 2 * lingerMs,
    variable: "KAFKA_DELIVERY_TIMEOUT_MS",
  }),
  closeTimeoutMs: milliseconds({
    meaning: "How long closing goes on delivering",
    byDefault: 5_000,
    variable: "KAFKA_CLOSE_TIMEOUT_MS",
  }),
  oauthToken: oauthTokenOption,
  properties: propertiesOption(reservedProperties),
  log: logOption,
};

/** Checks and completes the options. Throws an `OptionError` that names the option. */
export function publisherSettings(options: KafkaPublisherOptions): PublisherSettings {
  const settings = readOptions("createKafkaPublisher", publisherTable, options);
  return { ...settings, properties: withOAuth(settings) };
}
