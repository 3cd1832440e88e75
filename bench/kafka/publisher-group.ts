import { join } from "node:path";
import { toBinary } from "@bufbuild/protobuf";
import { SessionActivityEventSchema } from "connect-session-activity";
import { root } from "../../test/support/root.js";
import { interleave, judge, ratioOf, type Sample, spreadOfFigure, type Variant } from "../kit/comparison.js";
import type { Group } from "../kit/group.js";
import { type PeerProcess, startScript } from "../kit/peer-process.js";
import type { Table } from "../kit/report.js";
import { cpuBetween, threadsOf } from "../kit/thread-cpu.js";
import { typicalEvent } from "../kit/typical-event.js";
import { partitions, startBenchBroker } from "./bench-broker.js";
import type { OfferAnswer, OfferQuestion } from "./producer-process.js";
import { noRdkafka, type RdkafkaProgram, startRdkafka } from "./rdkafka-program.js";
import { batchSize, type SinkConfig, type SinkKind } from "./sink-config.js";

const topic = "published";
const eventBytes = toBinary(SessionActivityEventSchema, typicalEvent(1)).length;
const [ours, again, inC] = ["this package", "this package, again", "librdkafka, by a program in C"];
const sinks: readonly { readonly name: string; readonly kind: SinkKind }[] = [
  { name: ours, kind: "this package" },
  { name: again, kind: "this package" },
  { name: "this package, with lz4, its default", kind: "this package, lz4" },
  { name: "the same client's own `produce`", kind: "bare produce" },
  { name: "the same client's KafkaJS-style API", kind: "KafkaJS-style API" },
  { name: "kafkajs", kind: "kafkajs" },
  { name: "kafkajs, batches of 100", kind: "kafkajs, batches" },
  { name: "@platformatic/kafka", kind: "@platformatic/kafka" },
  { name: "@platformatic/kafka, its stream", kind: "@platformatic/kafka, stream" },
];

/** A process that takes a number of events, and answers when all are delivered. */
interface Taker extends Pick<PeerProcess<never, never>, "pid" | "end"> {
  offer(count: number): Promise<{ readonly seconds: number }>;
}

export const publisherGroup: Group = {
  name: "publisher",
  what: "events to Apache Kafka, against other clients",
  async run({ isQuick, afterRound, say }) {
    const [rounds, roundMs] = isQuick ? [3, 500] : [15, 2_000];
    const cluster = await startBenchBroker();
    const takers = new Map<string, Taker>();
    try {
      // What is older goes: the disk is no part of this.
      await cluster.admin.createTopic(topic, partitions, { "retention.bytes": 2 ** 27, "segment.bytes": 2 ** 25 });
      for (const { name, kind } of sinks) takers.set(name, await startTaker(kind, cluster.brokers));
      if (noRdkafka === undefined) takers.set(inC, startTakerInC(cluster.brokers));
      const variants: Variant[] = [];
      for (const [name, taker] of takers) {
        say(`${name}: how many events in a round?`);
        const count = await countFor(taker, roundMs);
        variants.push({ name, measure: () => measure(taker, count) });
      }
      say(`${rounds} rounds`);
      return { name: "publisher", tables: [tableOf(await interleave({ variants, rounds }, afterRound))] };
    } finally {
      for (const taker of takers.values()) await taker.end();
      await cluster.close();
    }
  },
};

async function startTaker(kind: SinkKind, brokers: string): Promise<Taker> {
  const config: SinkConfig = { kind, brokers, topic, rivals: join(root, "bench", "rivals", "dist") };
  const script = new URL("./producer-process.js", import.meta.url);
  const peer = await startScript<OfferQuestion, OfferAnswer>(script, [JSON.stringify(config)]);
  return { ...peer, offer: (count) => peer.ask({ count }) };
}

function startTakerInC(brokers: string): Taker {
  const program: RdkafkaProgram = startRdkafka("produce", brokers, topic, eventBytes);
  return { ...program, offer: (count) => program.ask(count) };
}

/** Warms a client up, and finds out how many events it takes in the time of a round. */
async function countFor(taker: Taker, roundMs: number): Promise<number> {
  let count = 1_000;
  for (let round = 0; round < 3; round++) {
    const { seconds } = await taker.offer(count);
    const inTime = (count / seconds) * (roundMs / 1_000);
    count = Math.min(500_000, Math.max(1_000, Math.round(inTime / batchSize) * batchSize));
  }
  return count;
}

async function measure(taker: Taker, count: number): Promise<Sample> {
  const before = threadsOf(taker.pid);
  const { seconds } = await taker.offer(count);
  const { allUs, mainUs, kafkaUs } = cpuBetween(taker.pid, before, threadsOf(taker.pid));
  return { perSecond: count / seconds, cpuUs: allUs / count, mainUs: mainUs / count, kafkaUs: kafkaUs / count };
}

function tableOf(samples: Awaited<ReturnType<typeof interleave>>): Table {
  const reference = samples.has(inC) ? inC : ours;
  return {
    title: "Events to Apache Kafka, as fast as they are taken",
    columns: [
      { title: "events/s", digits: 0 },
      { title: `events/s, of ${reference}`, digits: 2 },
      { title: "CPU per event, µs", digits: 1 },
      { title: "main thread", digits: 1 },
      { title: "Kafka client", digits: 1 },
    ],
    rows: [...samples.keys()].map((name) => ({
      name,
      cells: [
        spreadOfFigure(samples, name, "perSecond"),
        ratioOf(samples, name, reference, "perSecond"),
        ...["cpuUs", "mainUs", "kafkaUs"].map((figure) => spreadOfFigure(samples, name, figure)),
      ],
    })),
    notes: [
      `An event has ${eventBytes} bytes, and one header. It is encoded each time, but not in C.`,
      "All wait for all in-sync replicas, and none compresses, but for the one that says so.",
      ...(noRdkafka === undefined ? [] : [`${noRdkafka}.`]),
    ],
    trust: judge(samples, { figure: "cpuUs", twins: [ours, again], doubt: 0.15 }),
    samples,
  };
}
