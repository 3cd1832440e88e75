import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import { SessionActivityEventSchema } from "connect-session-activity";
import type { KafkaCompression } from "connect-session-activity/kafka";
import type { Cluster } from "../../test/kafka-real/cluster.js";
import type { Group } from "../kit/group.js";
import type { Table } from "../kit/report.js";
import { typicalEvent } from "../kit/typical-event.js";
import { startBenchBroker } from "./bench-broker.js";
import { fillTopic } from "./fill-topic.js";

/** Enough for full batches. */
const count = 10_000;
const compressions: readonly KafkaCompression[] = ["none", "gzip", "snappy", "lz4"];
/** What the Go original's JSON has beside the context, with the same fields. */
const originalBytes = 131;

export const bytesGroup: Group = {
  name: "bytes",
  what: "what an event weighs, by itself and on Apache Kafka's disk",
  async run({ say }) {
    const cluster = await startBenchBroker();
    try {
      const rows = [];
      for (const compression of compressions) {
        say(`${count} events on disk, compression ${compression}`);
        rows.push({ name: `on disk, compression ${compression}`, cells: [await onDisk(cluster, compression)] });
      }
      return {
        name: "bytes",
        tables: [byItself(), { title: `Each of ${count.toLocaleString("en-US")} events in a topic`, columns, rows }],
      };
    } finally {
      await cluster.close();
    }
  },
};

const columns = [{ title: "bytes per event", digits: 0 }];

function byItself(): Table {
  const event = typicalEvent(1);
  const value = toBinary(SessionActivityEventSchema, event).length;
  const header = "content-type".length + "application/protobuf".length;
  // The fields that the Go original has: service, action, status, duration and the context.
  const contextBytes = event.encodedSessionContext.length;
  const { encodedSessionContext, service, action, status, duration } = event;
  const few = create(SessionActivityEventSchema, { encodedSessionContext, service, action, status, duration });
  const fewBytes = toBinary(SessionActivityEventSchema, few).length - contextBytes;
  return {
    title: "An event by itself",
    columns,
    rows: [
      { name: "the session context in it", cells: [contextBytes] },
      { name: "value, as protobuf", cells: [value] },
      { name: "value, as JSON", cells: [Buffer.byteLength(toJsonString(SessionActivityEventSchema, event))] },
      { name: "header", cells: [header] },
      { name: "service, action, status and duration alone, as protobuf", cells: [fewBytes] },
      { name: "the same as the Go original's JSON", cells: [originalBytes] },
    ],
  };
}

/** By Kafka's own account, with what it needs to store a record. */
async function onDisk(cluster: Cluster, compression: KafkaCompression): Promise<number> {
  const topic = `bytes-${compression}`;
  await cluster.admin.createTopic(topic, 1);
  await fillTopic(cluster.brokers, topic, count, compression);
  const args = ["--describe", "--bootstrap-server", cluster.brokers, "--topic-list", topic];
  const output = await cluster.tool("org.apache.kafka.tools.LogDirsCommand", args);
  const size = /"size":(\d+)/.exec(output)?.[1];
  if (size === undefined) throw new Error(`Kafka did not say how large ${topic} is: ${output}`);
  return Number(size) / count;
}
