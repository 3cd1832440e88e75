import { connectionProperties } from "../client/connection-properties.js";
import type { NativeProperties } from "../client/kafka-client.js";
import type { ConsumerSettings } from "./consumer-options.js";

const connection: NativeProperties = { ...connectionProperties, "client.id": "connect-session-activity" };

/** The librdkafka configuration of a consumer. */
export function consumerProperties(
  settings: Pick<ConsumerSettings, "brokers" | "groupId" | "properties">,
): NativeProperties {
  const { properties } = settings;
  return {
    ...connection,
    // A topic that does not exist yet is found within this time after it came into being; the default is 5 minutes.
    "topic.metadata.refresh.interval.ms": 10_000,
    // What was handled in this time before a crash is handled again.
    "auto.commit.interval.ms": 1_000,
    // When partitions move, those that stay go on. The newer protocol decides on the broker, and refuses the property.
    ...(properties["group.protocol"] === "consumer" ? {} : { "partition.assignment.strategy": "cooperative-sticky" }),
    ...properties,
    "bootstrap.servers": settings.brokers,
    "group.id": settings.groupId,
    "enable.auto.commit": true,
    // By default an offset counts as handled as soon as the record was fetched, and what is in between is lost in a crash.
    "enable.auto.offset.store": false,
  };
}

/**
 * Where a group goes on whose next record is gone: at the oldest there is, whatever `startAt` says. That decides only for
 * a group without offsets, which librdkafka does not tell apart: see `GroupMember`.
 */
export const consumerTopicProperties: NativeProperties = { "auto.offset.reset": "earliest" };

/** Of the user's properties, those that say how to reach a broker; librdkafka warns of a consumer's own in a producer. */
const sharedProperty =
  /^(security|ssl|sasl|enable\.ssl|enable\.sasl|https|socket|client|broker|reconnect|message\.max|debug|log)/;

/**
 * The librdkafka configuration of the producer that writes dead letters, and takes them back. It is not idempotent: a dead letter
 * may come twice, as the record that it holds may, and there is no state in which such a producer fails for good.
 */
export function writerProperties(settings: Pick<ConsumerSettings, "brokers" | "properties">): NativeProperties {
  const shared = Object.entries(settings.properties).filter(([name]) => sharedProperty.test(name));
  return {
    ...connection,
    acks: -1,
    "linger.ms": 0,
    partitioner: "murmur2_random",
    "message.timeout.ms": 30_000,
    // What the topic takes decides: by its own default, the client refuses records that were read from a topic as large.
    "message.max.bytes": 67_108_864,
    ...Object.fromEntries(shared),
    "bootstrap.servers": settings.brokers,
    dr_cb: true,
  };
}
