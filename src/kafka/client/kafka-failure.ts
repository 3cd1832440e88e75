import type { FailureClass } from "../../base/failure.js";

/** What heals only if somebody acts: rights, a login, a topic, a setting, a clock. By librdkafka's names of errors. */
const permanent: ReadonlySet<string> = new Set([
  "ERR_TOPIC_AUTHORIZATION_FAILED",
  "ERR_GROUP_AUTHORIZATION_FAILED",
  "ERR_CLUSTER_AUTHORIZATION_FAILED",
  "ERR__AUTHENTICATION",
  "ERR_SASL_AUTHENTICATION_FAILED",
  "ERR__UNKNOWN_TOPIC",
  "ERR__UNKNOWN_PARTITION",
  "ERR_UNKNOWN_TOPIC_OR_PART",
  "ERR_TOPIC_EXCEPTION",
  "ERR_POLICY_VIOLATION",
  "ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT",
  "ERR_UNSUPPORTED_COMPRESSION_TYPE",
  "ERR_INVALID_TIMESTAMP",
  // A compacted topic says this of a record without a key, and Apache Kafka 4 of a wrong clock.
  "ERR_INVALID_RECORD",
  "ERR__INVALID_ARG",
  "ERR__FATAL",
]);

/** What a broker will never take, whatever it is asked. */
const poison: ReadonlySet<string> = new Set([
  "ERR_MSG_SIZE_TOO_LARGE",
  "ERR_RECORD_LIST_TOO_LARGE",
  "ERR_INVALID_MSG_SIZE",
]);

/** The names that are classified, for the test that compares them with the client's table. */
export const classifiedErrorNames: readonly string[] = [...permanent, ...poison];

/** What an error of the Kafka client calls for, by its name in librdkafka's table. What is not known may pass. */
export function kafkaFailure(errorName: string | undefined): FailureClass {
  if (errorName === undefined) return "passing";
  if (poison.has(errorName)) return "poison";
  return permanent.has(errorName) ? "permanent" : "passing";
}
