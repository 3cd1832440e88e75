import { interleave, judge, type Samples, spreadOfFigure, type Variant } from "../kit/comparison.js";
import type { Group } from "../kit/group.js";
import { type PeerProcess, startScript } from "../kit/peer-process.js";
import type { Table } from "../kit/report.js";
import type { LingerAnswer, LingerQuestion } from "./linger-process.js";

const perSecond = 1_200;
/** 50 ms is the default. It is measured twice. */
const lingers = [
  { name: "5 ms", ms: 5 },
  { name: "20 ms", ms: 20 },
  { name: "50 ms", ms: 50 },
  { name: "50 ms, again", ms: 50 },
  { name: "100 ms", ms: 100 },
  { name: "200 ms", ms: 200 },
] as const;

export const lingerGroup: Group = {
  name: "linger",
  what: "what waiting for fuller batches saves, and how long events wait",
  async run({ isQuick, afterRound, say }) {
    const [rounds, count] = isQuick ? [3, perSecond / 2] : [24, perSecond * 3];
    const broker = await startScript<object, string>(new URL("../kit/broker-process.js", import.meta.url), ["linger"]);
    const script = new URL("./linger-process.js", import.meta.url);
    const publishers = await startScript<LingerQuestion, LingerAnswer>(script, [
      await broker.ask({}),
      ...lingers.map(({ ms }) => String(ms)),
    ]);
    try {
      const variants: Variant[] = lingers.map(({ name }, publisher) => ({
        name,
        measure: () => measure(publishers, { publisher, count, perSecond }),
      }));
      say(`${rounds} rounds`);
      return { name: "linger", tables: [tableOf(await interleave({ variants, rounds }, afterRound))] };
    } finally {
      await publishers.end();
      await broker.end();
    }
  },
};

async function measure(publishers: PeerProcess<LingerQuestion, LingerAnswer>, question: LingerQuestion) {
  const { kafkaUs, mainUs, deliveryMs } = await publishers.ask(question);
  return { kafkaUs: kafkaUs / question.count, mainUs: mainUs / question.count, deliveryMs };
}

function tableOf(samples: Samples): Table {
  return {
    title: `${perSecond.toLocaleString("en-US")} events a second, by \`linger.ms\``,
    columns: [
      { title: "Kafka client, CPU per event, µs", digits: 1 },
      { title: "main thread, µs", digits: 1 },
      { title: "delivery, ms (median)", digits: 1 },
    ],
    rows: lingers.map(({ name }) => ({
      name,
      cells: ["kafkaUs", "mainUs", "deliveryMs"].map((figure) => spreadOfFigure(samples, name, figure)),
    })),
    notes: ["The main thread's figure holds the timer that paces the events, which all have alike."],
    trust: judge(samples, { figure: "kafkaUs", twins: ["50 ms", "50 ms, again"], doubt: 0.1 }),
    samples,
  };
}
