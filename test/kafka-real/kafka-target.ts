import { randomBytes } from "node:crypto";
import { toBinary } from "@bufbuild/protobuf";
import { SessionActivityEventSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { loadKafkaClient, type NativeMessage } from "../../src/kafka/client/kafka-client.js";
import { createKafkaPublisher, type KafkaPublisherOptions } from "../../src/kafka/index.js";
import type { PublisherStats } from "../../src/publishing/publisher.js";
import { eventOf, recordOf } from "../kafka/kafka-fixtures.js";
import { type Admin, adminOf } from "./admin.js";
import { type Cluster, startCluster } from "./cluster.js";
import { readTopic } from "./read-topic.js";

/** A cluster that a test does not break: that of `KAFKA_BROKERS`, or one broker of our own. */
export interface Target {
  readonly brokers: string;
  readonly admin: Admin;
  /** Creates a topic that nobody else uses, and answers with its name. */
  topic(partitions: number, config?: Readonly<Record<string, string | number>>): Promise<string>;
  /** All that stands on a topic. */
  read(topic: string, isolation?: "read_committed" | "read_uncommitted"): Promise<NativeMessage[]>;
  close(): Promise<void>;
}

/** Starts a broker, unless there is one. */
export async function startTarget(): Promise<Target> {
  const given = process.env["KAFKA_BROKERS"];
  return given === undefined ? targetOf(await startCluster(1)) : existing(given);
}

/** A cluster as a target. Closing the one closes the other. */
export function targetOf({ brokers, admin, close }: Pick<Cluster, "brokers" | "admin" | "close">): Target {
  return {
    brokers,
    admin,
    async topic(partitions, config) {
      const topic = `real-${randomBytes(6).toString("hex")}`;
      await admin.createTopic(topic, partitions, config);
      return topic;
    },
    async read(topic, isolation = "read_uncommitted") {
      return readTopic(loadKafkaClient(), brokers, topic, await admin.ends(topic), { "isolation.level": isolation });
    },
    close,
  };
}

/** Somebody's cluster: what we create there we delete. */
function existing(brokers: string): Target {
  const admin = adminOf(brokers);
  const created: string[] = [];
  const target = targetOf({ brokers, admin, close: () => admin.close() });
  return {
    ...target,
    async topic(partitions, config) {
      const topic = await target.topic(partitions, config);
      created.push(topic);
      return topic;
    },
    async close() {
      for (const topic of created) await admin.deleteTopic(topic);
      await target.close();
    },
  };
}

/** Publishes events numbered from..to, closes, and answers with the counts. */
export async function publishEvents(
  options: KafkaPublisherOptions,
  [from, to]: readonly [number, number],
): Promise<PublisherStats> {
  const publisher = createKafkaPublisher({ log: false, ...options });
  for (let number = from; number <= to; number += 1) publisher.publish(recordOf(number));
  return publisher.close();
}

/** The bytes of event-n, for comparison. */
export function bytesOfEvent(number: number): string {
  return Buffer.from(toBinary(SessionActivityEventSchema, eventOf(number))).toString("base64");
}
