import { connectionProperties } from "../client/connection-properties.js";
import type { NativeProperties } from "../client/kafka-client.js";
import { lingerMs, type PublisherSettings, queueSlack } from "./publisher-options.js";

/**
 * The librdkafka configuration of a publisher. The user's own properties win, but for `idempotent: false`: that is the
 * configuration of a producer that must not fail for good again.
 */
export function producerProperties(settings: PublisherSettings, idempotent: boolean): NativeProperties {
  return {
    ...connectionProperties,
    "bootstrap.servers": settings.brokers,
    "client.id": settings.clientId,
    acks: -1,
    "enable.idempotence": true,
    // At 1,200 events a second, librdkafka's threads take 31 us of CPU an event with 5 ms, 5 with 50, and 3 with 100:
    // `npm run bench -- linger`. More would save little, and a process that is killed loses what it holds back.
    "linger.ms": lingerMs,
    "compression.type": settings.compression,
    // Puts keys where Java clients put them.
    partitioner: "murmur2_random",
    "queue.buffering.max.messages": settings.maxQueuedEvents + queueSlack,
    "queue.buffering.max.kbytes": Math.ceil(settings.maxQueuedBytes / 1024) + queueSlack,
    "message.timeout.ms": settings.deliveryTimeoutMs,
    ...settings.properties,
    ...(idempotent ? {} : { "enable.idempotence": false }),
    // Delivery reports: what the counts live on.
    dr_cb: true,
  };
}
