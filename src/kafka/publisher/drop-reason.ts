import type { DropReason } from "../../publishing/publisher.js";

/** librdkafka's names of errors, by the reason that they are counted under; all others are `error`. */
const reasons: Readonly<Record<string, DropReason>> = {
  ERR__QUEUE_FULL: "queue_full",
  ERR_MSG_SIZE_TOO_LARGE: "too_large",
  ERR_RECORD_LIST_TOO_LARGE: "too_large",
  ERR_INVALID_MSG_SIZE: "too_large",
  ERR_UNSUPPORTED_COMPRESSION_TYPE: "compression_refused",
  // What Azure Event Hubs says of the same.
  ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT: "compression_refused",
  ERR__MSG_TIMED_OUT: "expired",
  ERR__TIMED_OUT: "expired",
  ERR__TIMED_OUT_QUEUE: "expired",
  ERR__UNKNOWN_TOPIC: "unknown_topic",
  ERR__UNKNOWN_PARTITION: "unknown_topic",
  ERR_UNKNOWN_TOPIC_OR_PART: "unknown_topic",
  ERR_UNKNOWN_TOPIC_ID: "unknown_topic",
  // What waits for a partition that goes away with its topic.
  ERR__DESTROY: "unknown_topic",
  ERR_TOPIC_EXCEPTION: "unknown_topic",
  ERR__AUTHENTICATION: "unauthorized",
  ERR_SASL_AUTHENTICATION_FAILED: "unauthorized",
  ERR_TOPIC_AUTHORIZATION_FAILED: "unauthorized",
  ERR_CLUSTER_AUTHORIZATION_FAILED: "unauthorized",
  ERR_INVALID_TIMESTAMP: "invalid_timestamp",
  // What Apache Kafka 4 says of the same, among other things.
  ERR_INVALID_RECORD: "invalid_record",
  ERR__FATAL: "fatal",
  // Nothing here purges: librdkafka itself does, when the producer fails for good.
  ERR__PURGE_QUEUE: "fatal",
  ERR__PURGE_INFLIGHT: "fatal",
  ERR_OUT_OF_ORDER_SEQUENCE_NUMBER: "fatal",
};

/** Whether an error of that name says that the producer will never deliver again. */
export function meansFatal(errorName: string | undefined): boolean {
  return errorName === "ERR__FATAL" || errorName === "ERR__PURGE_QUEUE" || errorName === "ERR__PURGE_INFLIGHT";
}

/** The names that are mapped, for the test that compares them with the client's table. */
export const mappedErrorNames: readonly string[] = Object.keys(reasons);

/** The reason that an event is counted under, given the name of the client's error. */
export function dropReason(errorName: string | undefined): DropReason {
  return (errorName !== undefined && Object.hasOwn(reasons, errorName) && reasons[errorName]) || "error";
}

/** What to do about it, for the log. */
export const advice: Readonly<Record<DropReason, string>> = {
  no_brokers: "no brokers are configured",
  no_client: "the Kafka client cannot be loaded",
  queue_full: "too many wait for delivery; is Kafka reachable? The bounds are maxQueuedEvents and maxQueuedBytes",
  too_large: "larger than the Kafka client or the broker allows (message.max.bytes)",
  compression_refused:
    'the broker does not take this compression: set compression to "gzip" or "none", in code or by SESSION_TRACKING_KAFKA_COMPRESSION',
  expired: "not delivered within deliveryTimeoutMs; they may have arrived all the same",
  unconfirmed:
    "the broker never confirmed them. Was the topic deleted and created anew? They may have arrived all the same",
  unknown_topic: "the topic does not exist and may not be created",
  unauthorized: "Kafka does not allow this client's user to write there; grant it WRITE on the topic",
  invalid_timestamp: "the broker refused the time of the record: check this machine's clock",
  invalid_record: "the broker refused them; check this machine's clock, or give a key if the topic is compacted",
  fatal: "in flight when the Kafka producer failed for good; they may have arrived all the same",
  closed: "published after close()",
  close_timeout: "undelivered after closeTimeoutMs; they may have arrived all the same",
  invalid_event: "could not be encoded",
  error: "the Kafka client reported an error",
};
