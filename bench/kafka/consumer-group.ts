import { join } from "node:path";
import { root } from "../../test/support/root.js";
import {
  interleave,
  judge,
  ratioOf,
  type Sample,
  type Samples,
  spreadOfFigure,
  type Variant,
} from "../kit/comparison.js";
import type { Group } from "../kit/group.js";
import { type PeerProcess, startScript } from "../kit/peer-process.js";
import type { Table } from "../kit/report.js";
import { cpuBetween, threadsOf } from "../kit/thread-cpu.js";
import { partitions, startBenchBroker } from "./bench-broker.js";
import type { ReadAnswer, ReadQuestion } from "./consumer-process.js";
import { fillTopic } from "./fill-topic.js";
import { noRdkafka, type RdkafkaProgram, startRdkafka } from "./rdkafka-program.js";
import type { SourceConfig, SourceKind } from "./source-config.js";

const topic = "to-consume";
const [ours, again, inC] = [
  "this package",
  "this package, again",
  "librdkafka, by a program in C, not decoded",
] as const;
const sources: readonly { readonly name: string; readonly kind: SourceKind }[] = [
  { name: ours, kind: "this package, one by one" },
  { name: again, kind: "this package, one by one" },
  { name: "this package, `handleBatch`", kind: "this package, batches" },
  { name: "the same client's KafkaJS-style API, `eachMessage`", kind: "KafkaJS-style API, eachMessage" },
  { name: "the same client's KafkaJS-style API, `eachBatch`", kind: "KafkaJS-style API, eachBatch" },
  { name: "kafkajs, `eachMessage`", kind: "kafkajs, eachMessage" },
  { name: "kafkajs, `eachBatch`", kind: "kafkajs, eachBatch" },
  { name: "@platformatic/kafka, its stream", kind: "@platformatic/kafka" },
];

export const consumerGroup: Group = {
  name: "consumer",
  what: "events from Apache Kafka, decoded, against other clients",
  async run({ isQuick, afterRound, say }) {
    const [rounds, count] = isQuick ? [3, 20_000] : [9, 200_000];
    const cluster = await startBenchBroker();
    const readers: Pick<PeerProcess<never, never>, "end">[] = [];
    try {
      await cluster.admin.createTopic(topic, partitions);
      say(`${count} events to read`);
      // kafkajs reads no lz4 without a package more.
      await fillTopic(cluster.brokers, topic, count, "none");
      const variants: Variant[] = [];
      for (const { name, kind } of sources) {
        const reader = await startReader(kind, cluster.brokers);
        readers.push(reader);
        variants.push({ name, measure: () => measure(reader, count) });
      }
      if (noRdkafka === undefined) {
        const program = startRdkafka("consume", cluster.brokers, topic, 0);
        readers.push(program);
        variants.push({ name: inC, measure: () => measureInC(program, count) });
      }
      say(`${rounds} rounds`);
      const samples = await interleave({ variants, rounds }, afterRound);
      return { name: "consumer", tables: [tableOf(samples, count)] };
    } finally {
      for (const reader of readers) await reader.end();
      await cluster.close();
    }
  },
};

function startReader(kind: SourceKind, brokers: string): Promise<PeerProcess<ReadQuestion, ReadAnswer>> {
  const config: SourceConfig = { kind, brokers, topic, rivals: join(root, "bench", "rivals", "dist") };
  return startScript(new URL("./consumer-process.js", import.meta.url), [JSON.stringify(config)]);
}

async function measure(reader: PeerProcess<ReadQuestion, ReadAnswer>, count: number): Promise<Sample> {
  const { seconds, allUs, mainUs, longestStallMs } = await reader.ask({ count });
  return { perSecond: count / seconds, cpuUs: allUs / count, mainUs: mainUs / count, longestStallMs };
}

/** What its CPU time holds besides is the time before the first event, which has no work in it. */
async function measureInC(program: RdkafkaProgram, count: number): Promise<Sample> {
  const before = threadsOf(program.pid);
  const { seconds } = await program.ask(count);
  const { allUs, mainUs } = cpuBetween(program.pid, before, threadsOf(program.pid));
  return { perSecond: count / seconds, cpuUs: allUs / count, mainUs: mainUs / count, longestStallMs: 0 };
}

function tableOf(samples: Samples, count: number): Table {
  return {
    title: `${count.toLocaleString("en-US")} events from Apache Kafka`,
    columns: [
      { title: "events/s", digits: 0 },
      { title: `events/s, of ${ours}`, digits: 2 },
      { title: "CPU per event, µs", digits: 1 },
      { title: "main thread", digits: 1 },
      { title: "longest stall of the event loop, ms", digits: 0 },
    ],
    rows: [...samples.keys()].map((name) => ({
      name,
      cells: [
        spreadOfFigure(samples, name, "perSecond"),
        ratioOf(samples, name, ours, "perSecond"),
        ...["cpuUs", "mainUs"].map((figure) => spreadOfFigure(samples, name, figure)),
        name === inC ? "" : spreadOfFigure(samples, name, "longestStallMs"),
      ],
    })),
    notes: [
      "The time is that from the first event to the last, so without joining a group.",
      ...(noRdkafka === undefined ? [] : [`${noRdkafka}.`]),
    ],
    trust: judge(samples, { figure: "perSecond", twins: [ours, again], doubt: 0.1 }),
    samples,
  };
}
