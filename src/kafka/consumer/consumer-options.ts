import type { SessionActivityEvent } from "../../../gen/sessionactivity/v1/session_activity_pb.js";
import { type Environment, environmentOption } from "../../base/environment.js";
import type { Logger } from "../../base/log.js";
import {
  callback,
  group,
  logOption,
  milliseconds,
  type OptionsOf,
  oneOf,
  text,
  wholeNumber,
} from "../../base/options.js";
import {
  brokersOption,
  defaultTopic,
  type KafkaProperties,
  propertiesOption,
  topicOption,
} from "../client/client-options.js";
import { type OAuthTokenProvider, oauthTokenOption } from "../client/oauth-token.js";
import type { SessionActivityItem, SessionActivityRecord } from "./consumed-record.js";
import type { InvalidReason } from "./consumer-stats.js";

/** How a handler that fails is tried again. Its partition waits meanwhile, and stays this consumer's; the others go on. */
export interface SessionActivityRetry {
  /**
   * How often an event is handed to the handler before it is set aside. By default, `Infinity`: an outage behind the handler
   * must not empty the topic into the dead letters, so the partition waits until the handler succeeds. Errors that say that
   * they are permanent do not count.
   */
  attempts?: number | undefined;
  /** The time before the second attempt; it doubles with each one after that. By default, 100 ms. */
  backoffMs?: number | undefined;
  /** The longest time between two attempts. By default, 30,000 ms. */
  maxBackoffMs?: number | undefined;
}

/** Options of `createSessionActivityConsumer`. What is not given comes from the environment, then from the defaults. */
export interface SessionActivityConsumerOptions {
  /** Addresses to start from: `"host:9092,host2:9092"`, or an array of such. Needed here or in `SESSION_TRACKING_KAFKA_BROKERS`. */
  brokers?: string | readonly string[] | undefined;
  /**
   * Consumers with the same group share the topic's partitions, and what one has handled none of them gets again. Needed here
   * or in `SESSION_TRACKING_CONSUMER_GROUP`.
   */
  groupId?: string | undefined;
  /** The topic to read. By default, `session-activities`. */
  topic?: string | undefined;
  /**
   * Handles one event. The events of a partition come one after another; those of different partitions may overlap if the
   * handler is asynchronous. An event can come more than once (after a crash, a failed attempt, or when partitions move):
   * `eventId` tells. Exactly one of `handle` and `handleBatch` is needed.
   *
   * An error says by its property `failure` what it calls for; {@link withFailure} sets it. `"poison"`: this event can never
   * be handled, and is set aside without another attempt. `"permanent"`: nothing can be handled until somebody acts; the
   * event is tried again without limit, whatever `retry.attempts` says. `"passing"`, and any other error: it is tried again.
   */
  handle?: ((event: SessionActivityEvent, record: SessionActivityRecord) => void | Promise<unknown>) | undefined;
  /**
   * Handles up to 100 events of one partition at once; they succeed or fail together. A batch that fails with poison, or as
   * often as `retry.attempts` allows, is halved again and again, so that only events which fail alone are set aside.
   */
  handleBatch?: ((items: readonly SessionActivityItem[]) => void | Promise<unknown>) | undefined;
  /**
   * Where a group begins that has no offsets yet. A group that retention has overtaken goes on at the oldest record there is.
   *
   * @default "earliest"
   */
  startAt?: "earliest" | "latest" | undefined;
  /** How a handler that fails is tried again. */
  retry?: SessionActivityRetry | undefined;
  /**
   * After what time a call of `handle`, `handleBatch` or `onInvalid` that has not settled is reported, once a minute, and a
   * record that is still in hand counts as a standstill. Nothing is cut off.
   *
   * @default 60_000
   */
  stuckAfterMs?: number | undefined;
  /**
   * Sets a record aside that holds no event, or that the handler cannot handle. If this fails, it is tried again without
   * limit, and the partition waits: going on would lose the record. An error with the `failure` `"poison"` says that this
   * record can be kept nowhere: it is counted as `lost`, logged with its place, and passed over. Exactly one of `onInvalid`
   * and `deadLetterTopic` is needed.
   */
  onInvalid?: ((record: SessionActivityRecord, reason: InvalidReason) => void | Promise<void>) | undefined;
  /**
   * The topic that such records go to: value, key and headers as they were, and the headers `dead-letter-reason`,
   * `dead-letter-origin-topic`, `dead-letter-origin-partition` and `dead-letter-origin-offset`. A record that the topic does
   * not take for its size goes without its value, then without key and headers, too; `dead-letter-omitted` says what is
   * left out. If the topic comes from the environment, `onInvalid` in code wins.
   */
  deadLetterTopic?: string | undefined;
  /**
   * How long `close()` waits for handlers that are running. By default, 10,000 ms. Committing offsets and leaving the group
   * may take up to 5 s more.
   */
  closeTimeoutMs?: number | undefined;
  /**
   * Gives the tokens to log in with if the brokers ask for OAUTHBEARER, as Amazon MSK with IAM and OpenID Connect do.
   * The tokens go over TLS, unless the properties say `security.protocol: sasl_plaintext`.
   */
  oauthToken?: OAuthTokenProvider | undefined;
  /**
   * Any librdkafka property, for example for TLS and SASL. They win over what this package sets. Not allowed are those that
   * it depends on: `bootstrap.servers`, `metadata.broker.list`, `group.id`, `auto.offset.reset`, `enable.auto.commit` and
   * `enable.auto.offset.store`.
   */
  properties?: Readonly<Record<string, string | number | boolean>> | undefined;
  /**
   * The environment variables that stand beneath the options. `false` ignores the environment.
   *
   * @default the process's environment
   */
  env?: Environment | false | undefined;
  /** Where trouble is reported, each kind once a minute at most. By default, stderr; false for nowhere. */
  log?: Logger | false | undefined;
}

/** The options, checked and completed. */
export interface ConsumerSettings {
  readonly brokers: string;
  readonly groupId: string;
  readonly topic: string;
  readonly handle: (items: readonly SessionActivityItem[]) => unknown;
  /** How many events the handler takes at once. */
  readonly batchSize: number;
  readonly startAt: "earliest" | "latest";
  readonly retry: { readonly attempts: number; readonly backoffMs: number; readonly maxBackoffMs: number };
  readonly setAside: ((record: SessionActivityRecord, reason: InvalidReason) => unknown) | { readonly topic: string };
  readonly stuckAfterMs: number;
  readonly closeTimeoutMs: number;
  readonly oauthToken: OAuthTokenProvider | undefined;
  readonly properties: KafkaProperties;
  readonly log: Logger | false | undefined;
}

/** At least once would not hold with other values of these. */
const reservedProperties = [
  "bootstrap.servers",
  "metadata.broker.list",
  "group.id",
  "auto.offset.reset",
  "enable.auto.commit",
  "enable.auto.offset.store",
];

/** Both ways to handle events, and both ways to set records aside, as they are given. */
export interface GivenConsumerSettings
  extends Omit<ConsumerSettings, "handle" | "batchSize" | "setAside">,
    Pick<Required<SessionActivityConsumerOptions>, "handle" | "handleBatch" | "onInvalid" | "env"> {
  readonly deadLetterTopic: string | undefined;
}

const retryTable: OptionsOf<ConsumerSettings["retry"]> = {
  attempts: {
    meaning: "How often an event is handed to the handler before it is set aside",
    expects: "a whole number from 1 upward, or Infinity",
    byDefault: Number.POSITIVE_INFINITY,
    variable: "CONSUMER_RETRY_ATTEMPTS",
    read: (value) => (value === Number.POSITIVE_INFINITY || isCount(value) ? value : undefined),
    parse: (given) => (/^(\d{1,15}|Infinity)$/.test(given) ? Number(given) : given),
  },
  backoffMs: wholeNumber({
    meaning: "The time before the second attempt; it doubles with each one after that",
    unit: "milliseconds",
    byDefault: 100,
    variable: "CONSUMER_RETRY_BACKOFF_MS",
  }),
  maxBackoffMs: wholeNumber({
    meaning:
      "The longest time between two attempts; not less than `backoffMs`, which counts if it is longer than the default",
    unit: "milliseconds",
    byDefault: 30_000,
    variable: "CONSUMER_RETRY_MAX_BACKOFF_MS",
  }),
};

/** The options of the consumer. Where Kafka is, it reads from the variables that a service has, too. */
export const consumerTable: OptionsOf<GivenConsumerSettings> = {
  brokers: { ...brokersOption, instead: "or the variable SESSION_TRACKING_KAFKA_BROKERS" },
  groupId: text({
    meaning: "Consumers of one group share the topic's partitions",
    required: true,
    variable: "CONSUMER_GROUP",
    instead: "or the variable SESSION_TRACKING_CONSUMER_GROUP",
  }),
  topic: topicOption({ meaning: "The topic to read", byDefault: defaultTopic, variable: "KAFKA_TOPIC" }),
  handle: callback({ meaning: "Handles one event; either this or `handleBatch` is needed" }),
  handleBatch: callback({ meaning: "Handles up to 100 events of one partition at once" }),
  startAt: oneOf(["earliest", "latest"], {
    meaning: "Where a group begins that has no offsets yet",
    byDefault: "earliest",
    variable: "CONSUMER_START_AT",
  }),
  retry: group(retryTable, { meaning: "How a handler that fails is tried again" }),
  stuckAfterMs: wholeNumber({
    meaning: "After what time a handler that has not settled is reported",
    unit: "milliseconds",
    byDefault: 60_000,
    variable: "CONSUMER_STUCK_AFTER_MS",
  }),
  onInvalid: callback({ meaning: "Sets a record aside; either this or `deadLetterTopic` is needed" }),
  deadLetterTopic: topicOption({
    meaning: "The topic for records that cannot be handled; `onInvalid` in code wins over the variable",
    defaultText: "none",
    variable: "CONSUMER_DEAD_LETTER_TOPIC",
  }),
  closeTimeoutMs: milliseconds({
    meaning: "How long closing waits for handlers that are running",
    byDefault: 10_000,
    variable: "CONSUMER_CLOSE_TIMEOUT_MS",
  }),
  oauthToken: oauthTokenOption,
  properties: propertiesOption(reservedProperties),
  env: environmentOption,
  log: logOption,
};

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 1;
}
