import { differenceOf, interleave, judge, type Samples, spreadOfFigure, type Variant } from "../kit/comparison.js";
import { scriptOf, type VersionEnd } from "../kit/compiled-packages.js";
import type { Group } from "../kit/group.js";
import { type PeerProcess, startScript } from "../kit/peer-process.js";
import type { Table } from "../kit/report.js";
import type { ThreadCpu } from "../kit/thread-cpu.js";
import type { EncoderName, EncoderQuestion } from "./encoder-process.js";
import type { WorkName, WorkQuestion } from "./hot-path-process.js";
import type { TurnsQuestion } from "./unmarked-process.js";

/** A work, and the one whose cost is not its own. */
interface Row {
  readonly name: string;
  readonly work: WorkName;
  readonly without?: string | undefined;
}

const calls: readonly Row[] = [
  { name: "marked, no interceptor", work: "marked, no interceptor" },
  { name: "marked, events dropped", work: "marked, events dropped", without: "marked, no interceptor" },
  { name: "marked, events dropped, again", work: "marked, events dropped", without: "marked, no interceptor" },
  { name: "marked, Kafka", work: "marked, Kafka", without: "marked, no interceptor" },
];

const signatures: readonly Row[] = [
  { name: "signing, EdDSA", work: "EdDSA, sign" },
  { name: "signing, EdDSA, again", work: "EdDSA, sign" },
  { name: "verifying, EdDSA", work: "EdDSA, verify" },
  { name: "signing, ES256", work: "ES256, sign" },
  { name: "verifying, ES256", work: "ES256, verify" },
];

const fieldsAlone = "the fields alone";
const encoders: readonly { readonly name: string; readonly work: EncoderName }[] = [
  { name: fieldsAlone, work: fieldsAlone },
  { name: "by hand", work: "by hand" },
  { name: "by hand, again", work: "by hand" },
  { name: "a message, by protobuf-es", work: "a message, by protobuf-es" },
];

type Worker = PeerProcess<WorkQuestion, ThreadCpu>;

export const hotPathGroup: Group = {
  name: "hot-path",
  what: "the interceptor, signatures and the encoder by themselves",
  async run({ isQuick, afterRound, say }) {
    const rounds = isQuick ? 5 : 25;
    // Loops of some microseconds: their rounds are short, and differ by more than the others'.
    const loopRounds = isQuick ? 5 : 75;
    const broker = await startScript<object, string>(new URL("../kit/broker-process.js", import.meta.url), [
      "session-activities",
    ]);
    const script = new URL("./hot-path-process.js", import.meta.url);
    const worker: Worker = await startScript(script, [await broker.ask({})]);
    try {
      say(`${loopRounds} rounds of calls`);
      const ofCalls = await interleave({ variants: variantsOf(worker, calls, 20_000), rounds: loopRounds }, afterRound);
      say(`${rounds} rounds of signatures`);
      const ofSignatures = await interleave({ variants: variantsOf(worker, signatures, 4_000), rounds }, afterRound);
      say(`${rounds} rounds of unmarked calls`);
      const ofUnmarked = await measureUnmarked(isQuick ? 5 : 30, afterRound);
      say(`${rounds} rounds of calls beside open ones`);
      const ofOpenCalls = await measureOpenCalls(rounds, afterRound);
      const tables = [
        tableOfCalls(ofCalls),
        tableOfUnmarked(ofUnmarked),
        tableOfOpenCalls(ofOpenCalls),
        tableOfSignatures(ofSignatures),
      ];
      for (const end of ["newest", "oldest"] as const) {
        say(`${loopRounds} rounds of encoding, ${end} protobuf-es`);
        tables.push(tableOfEncoding(end, await measureEncoding(end, loopRounds, afterRound)));
      }
      return { name: "hot-path", tables };
    } finally {
      await worker.end();
      await broker.end();
    }
  },
};

async function measureEncoding(end: VersionEnd, rounds: number, afterRound: () => void): Promise<Samples> {
  const encoder = await startScript<EncoderQuestion, ThreadCpu>(scriptOf(end, "hot-path/encoder-process.js"));
  try {
    return await interleave({ variants: variantsOf(encoder, encoders, 50_000), rounds }, afterRound);
  } finally {
    await encoder.end();
  }
}

function measureUnmarked(rounds: number, afterRound: () => void): Promise<Samples> {
  const script = new URL("./unmarked-process.js", import.meta.url);
  return measureTurns(script, { turns: 240, rounds }, afterRound);
}

function measureOpenCalls(rounds: number, afterRound: () => void): Promise<Samples> {
  const script = new URL("./open-calls-process.js", import.meta.url);
  return measureTurns(script, { turns: 20, rounds }, afterRound, seldomLarge);
}

/** Large collections would hide what is kept until the next of them. */
const seldomLarge = ["--heap-growing-percent=20000", "--max-old-space-size=8192", "--min-semi-space-size=16"];

/** The process lets the variants take turns itself, many times a second. */
async function measureTurns(
  script: URL,
  { turns, rounds }: TurnsQuestion & { readonly rounds: number },
  afterRound: () => void,
  nodeOptions: readonly string[] = [],
): Promise<Samples> {
  const worker = await startScript<TurnsQuestion, Readonly<Record<string, number>>>(script, [], nodeOptions);
  const costs: Readonly<Record<string, number>>[] = [];
  try {
    for (let round = -1; round < rounds; round++) {
      const cost = await worker.ask({ turns });
      if (round >= 0) costs.push(cost);
      afterRound();
    }
  } finally {
    await worker.end();
  }
  const names = Object.keys(costs[0] ?? {});
  return new Map(names.map((name) => [name, costs.map((cost) => ({ mainUs: cost[name] ?? Number.NaN }))]));
}

function variantsOf<Name extends string>(
  worker: PeerProcess<{ readonly name: Name; readonly count: number }, ThreadCpu>,
  rows: readonly { readonly name: string; readonly work: Name }[],
  count: number,
): Variant[] {
  return rows.map(({ name, work }) => ({
    name,
    async measure() {
      const { allUs, mainUs } = await worker.ask({ name: work, count });
      return { cpuUs: allUs / count, mainUs: mainUs / count };
    },
  }));
}

const columns = [
  { title: "main thread, µs", digits: 2 },
  { title: "all threads, µs", digits: 2 },
];

function tableOfCalls(samples: Samples): Table {
  return {
    title: "CPU of a call that the interceptor adds",
    columns,
    rows: calls.flatMap(({ name, without }) => {
      if (without === undefined) return [];
      return [{ name, cells: ["mainUs", "cpuUs"].map((figure) => differenceOf(samples, name, without, figure)) }];
    }),
    notes: ["The handler does nothing, and what the same loop takes without the interceptor is subtracted."],
    trust: judge(samples, { figure: "mainUs", twins: ["marked, events dropped", "marked, events dropped, again"] }),
    samples,
  };
}

function tableOfUnmarked(samples: Samples): Table {
  return {
    title: "CPU that a call without a mark takes more",
    columns: [{ title: "main thread, µs", digits: 3 }],
    rows: [...samples.keys()].slice(1).map((name) => ({
      name,
      cells: [differenceOf(samples, name, "without", "mainUs")],
    })),
    notes: [
      "With the hook that sees Node's request, and the interceptor. The loops take turns every few milliseconds.",
    ],
    trust: judge(samples, { figure: "mainUs", twins: ["by adapterOptions", "by adapterOptions, again"] }),
    samples,
  };
}

function tableOfOpenCalls(samples: Samples): Table {
  return {
    title: "CPU that a shutdown signal adds to a call, with 10,000 others open",
    columns: [{ title: "main thread, µs", digits: 2 }],
    rows: [...samples.keys()]
      .slice(1)
      .map((name) => ({ name, cells: [differenceOf(samples, name, "without", "mainUs")] })),
    notes: [
      "What Connect makes for a call, and ends with it; 16 of them overlap. What that takes without such a signal is subtracted.",
    ],
    trust: judge(samples, { figure: "mainUs", twins: ["Node's signal", "Node's signal, again"] }),
    samples,
  };
}

function tableOfSignatures(samples: Samples): Table {
  return {
    title: "CPU of a signature",
    columns,
    rows: signatures.map(({ name }) => ({
      name,
      cells: ["mainUs", "cpuUs"].map((figure) => spreadOfFigure(samples, name, figure)),
    })),
    notes: ["The arithmetic runs on Node's thread pool."],
    trust: judge(samples, { figure: "cpuUs", twins: ["signing, EdDSA", "signing, EdDSA, again"] }),
    samples,
  };
}

function tableOfEncoding(end: VersionEnd, samples: Samples): Table {
  return {
    title: `CPU of making the bytes of an event, ${end} protobuf-es`,
    columns,
    rows: encoders.flatMap(({ name }) => {
      if (name === fieldsAlone) return [];
      return [{ name, cells: ["mainUs", "cpuUs"].map((figure) => differenceOf(samples, name, fieldsAlone, figure)) }];
    }),
    notes: ["What collecting the fields takes is subtracted."],
    trust: judge(samples, { figure: "cpuUs", twins: ["by hand", "by hand, again"] }),
    samples,
  };
}
