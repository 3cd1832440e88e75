import { join } from "node:path";
import { root } from "../../test/support/root.js";
import type { Group } from "../kit/group.js";
import { type PeerProcess, startScript } from "../kit/peer-process.js";
import type { Table } from "../kit/report.js";
import { cpuBetween, threadsOf } from "../kit/thread-cpu.js";
import { partitions, startBenchBroker } from "./bench-broker.js";
import type { OfferAnswer, OfferQuestion } from "./producer-process.js";
import type { SinkConfig } from "./sink-config.js";

const topic = "scaled";
const megabyte = 2 ** 20;

type Producer = PeerProcess<OfferQuestion, OfferAnswer>;

export const scaleGroup: Group = {
  name: "scale",
  what: "100 to 50,000 events a second, and the memory of ten million events",
  isOnDemand: true,
  async run({ isQuick, afterRound, say }) {
    const rates = isQuick ? [100, 10_000] : [100, 1_000, 5_000, 10_000, 20_000, 50_000];
    const seconds = isQuick ? 3 : 30;
    const [parts, perPart] = isQuick ? [5, 100_000] : [20, 500_000];
    const cluster = await startBenchBroker();
    try {
      await cluster.admin.createTopic(topic, partitions, { "retention.bytes": 2 ** 27, "segment.bytes": 2 ** 25 });
      const rows = [];
      for (const perSecond of rates) {
        say(`${perSecond} events a second`);
        rows.push(await withProducer(cluster.brokers, (producer) => offerAt(producer, perSecond, seconds)));
        afterRound();
      }
      say(`${parts * perPart} events`);
      const memory = await withProducer(cluster.brokers, (producer) =>
        watchMemory(producer, parts, perPart, afterRound),
      );
      return { name: "scale", tables: [tableOfRates(rows, seconds), memory] };
    } finally {
      await cluster.close();
    }
  },
};

async function withProducer<T>(brokers: string, use: (producer: Producer) => Promise<T>): Promise<T> {
  const config: SinkConfig = {
    kind: "this package, lz4",
    brokers,
    topic,
    rivals: join(root, "bench", "rivals", "dist"),
  };
  const producer: Producer = await startScript(new URL("./producer-process.js", import.meta.url), [
    JSON.stringify(config),
  ]);
  try {
    return await use(producer);
  } finally {
    await producer.end();
  }
}

async function offerAt(producer: Producer, perSecond: number, seconds: number): Promise<Table["rows"][number]> {
  await producer.ask({ count: perSecond, perSecond });
  const before = threadsOf(producer.pid);
  const count = perSecond * seconds;
  const answer = await producer.ask({ count, perSecond });
  const { allUs, mainUs, kafkaUs } = cpuBetween(producer.pid, before, threadsOf(producer.pid));
  return {
    name: `${perSecond.toLocaleString("en-US")} offered`,
    cells: [
      count / answer.seconds,
      allUs / count,
      mainUs / count,
      kafkaUs / count,
      allUs / answer.seconds / 1e4,
      answer.mostQueued,
    ],
  };
}

function tableOfRates(rows: Table["rows"], seconds: number): Table {
  return {
    title: `Events a second to Apache Kafka, offered at a steady rate for ${seconds} s`,
    columns: [
      { title: "delivered/s", digits: 0 },
      { title: "CPU per event, µs", digits: 1 },
      { title: "main thread", digits: 1 },
      { title: "Kafka client", digits: 1 },
      { title: "of one core, %", digits: 1 },
      { title: "most queued", digits: 0 },
    ],
    rows,
    notes: ["Making the offers is part of the main thread's time: at low rates, most of it."],
  };
}

/** The memory after each part. Garbage is collected when Node wants to, so that the heap goes up and down. */
async function watchMemory(producer: Producer, parts: number, perPart: number, afterRound: () => void): Promise<Table> {
  const rows = [];
  for (let part = 1; part <= parts; part++) {
    const { residentBytes, heapBytes } = await producer.ask({ count: perPart });
    rows.push({
      name: `${(part * perPart).toLocaleString("en-US")} events`,
      cells: [residentBytes / megabyte, heapBytes / megabyte],
    });
    afterRound();
  }
  return {
    title: "Memory of the publisher's process",
    columns: [
      { title: "resident, MiB", digits: 0 },
      { title: "heap, MiB", digits: 0 },
    ],
    rows,
  };
}
