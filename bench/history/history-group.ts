import { startPostgres } from "../../test/history-postgres/postgres-server.js";
import { interleave, judge, type Sample, type Samples, spreadOfFigure, type Variant } from "../kit/comparison.js";
import type { Group, GroupContext } from "../kit/group.js";
import { type PeerProcess, startScript } from "../kit/peer-process.js";
import type { Table } from "../kit/report.js";
import { spreadOf } from "../kit/statistics.js";
import { sessionsFor } from "./history-load.js";
import type { HistoryAnswer, HistoryQuestion, QueryName } from "./history-process.js";

/** As many as the consumer hands over. */
const batchSize = 100;
/** Checkpoints and vacuums come when they like: it takes many rounds until each variant has its share of them. */
const comparedRounds = 24;
/** For what is no comparison. */
const growthRounds = 9;
const queries: readonly QueryName[] = [
  "history(sessionId)",
  "current(sessionId)",
  "changes({ since, signal }), 1,000 of them",
];

type Recorder = PeerProcess<HistoryQuestion, HistoryAnswer>;

/** What is recorded, and by whom. */
interface Way {
  readonly name: string;
  readonly recorder: Recorder;
  readonly writers: number;
  readonly sessions: number;
  readonly events: number;
}

export const historyGroup: Group = {
  name: "history",
  what: "events into the signal history, by 1, 2 and 4 writers",
  async run(context) {
    const [inServer, inMemory] = context.isQuick ? [10_000, 10_000] : [1_000_000, 100_000];
    const events = context.isQuick ? 1_000 : 5_000;
    const embedded = await startRecorder();
    try {
      const table = await withPostgres(async (recorder) => {
        const sessions = sessionsFor(inServer);
        const sessionsInMemory = sessionsFor(inMemory);
        context.say(`${count(inServer)} observations`);
        await recorder.ask({ kind: "prefill", from: 0, to: sessions });
        await embedded.ask({ kind: "prefill", from: 0, to: sessionsInMemory });
        const common = { sessions, events };
        const [first, again] = ["PostgreSQL, 1 writer", "PostgreSQL, 1 writer, again"] as const;
        const samples = await measure(context, comparedRounds, [
          { ...common, name: first, recorder, writers: 1 },
          { ...common, name: again, recorder, writers: 1 },
          { ...common, name: "PostgreSQL, 2 writers", recorder, writers: 2 },
          { ...common, name: "PostgreSQL, 4 writers", recorder, writers: 4 },
          { name: "PGlite in memory, 1 writer", recorder: embedded, writers: 1, sessions: sessionsInMemory, events },
        ]);
        const trust = judge(samples, { figure: "perSecond", twins: [first, again], doubt: 0.1 });
        return {
          ...tableOf(`Of ${count(inServer)} observations at first, and PGlite of ${count(inMemory)}`, samples),
          trust,
        };
      });
      return { name: "history", tables: [table] };
    } finally {
      await embedded.end();
    }
  },
};

export const historyGrowthGroup: Group = {
  name: "history-growth",
  what: "whether the signal history slows down, up to 10 million observations",
  isOnDemand: true,
  async run(context) {
    const steps = context.isQuick ? [10_000, 100_000] : [100_000, 1_000_000, 10_000_000];
    const tables = await withPostgres(async (recorder) => {
      const byStep = new Map<string, Samples>();
      let sessions = 0;
      for (const step of steps) {
        context.say(`${count(step)} observations`);
        await recorder.ask({ kind: "prefill", from: sessions, to: sessionsFor(step) });
        sessions = sessionsFor(step);
        const name = `${count(step)} observations`;
        byStep.set(
          name,
          await measure(context, growthRounds, [{ name, recorder, writers: 1, sessions, events: eventsAt(step) }]),
        );
      }
      const all = new Map([...byStep.values()].flatMap((samples) => [...samples]));
      return [
        tableOf("PostgreSQL, 1 writer; measuring adds up to a quarter", all),
        await tableOfQueries(recorder, sessions, steps.at(-1) ?? 0),
      ];
    });
    return { name: "history-growth", tables };
  },
};

/** Without an address, events go to PGlite, which runs in the same process. */
function startRecorder(url?: string): Promise<Recorder> {
  return startScript(new URL("./history-process.js", import.meta.url), url === undefined ? [] : [url]);
}

/** PostgreSQL as durable as it is by itself. */
async function withPostgres<T>(use: (recorder: Recorder) => Promise<T>): Promise<T> {
  const server = await startPostgres({ settings: { shared_buffers: "1GB", max_wal_size: "4GB" } });
  try {
    const recorder = await startRecorder(server.url());
    try {
      return await use(recorder);
    } finally {
      await recorder.end();
    }
  } finally {
    await server.close();
  }
}

function measure(context: GroupContext, unhurried: number, ways: readonly Way[]): Promise<Samples> {
  const { isQuick, afterRound, say } = context;
  const rounds = isQuick ? 3 : unhurried;
  say(`${rounds} rounds`);
  const variants: Variant[] = ways.map((way) => ({ name: way.name, measure: () => record(way) }));
  return interleave({ variants, rounds }, afterRound);
}

/** So few that all rounds together add a quarter to the history at most: each event leaves six observations. */
function eventsAt(observations: number): number {
  return Math.min(5_000, Math.floor(observations / 4 / 6 / (growthRounds + 1)));
}

async function record({ recorder, writers, sessions, events }: Way): Promise<Sample> {
  const answer = await recorder.ask({ kind: "record", events, sessions, writers, batchSize });
  return {
    perSecond: events / answer.seconds,
    mainUs: answer.mainUs / events,
    databaseCpuUs: answer.databaseCpuUs / events,
  };
}

function tableOf(title: string, samples: Samples): Table {
  return {
    title,
    columns: [
      { title: "events/s", digits: 0 },
      { title: "writer's main thread per event, µs", digits: 0 },
      { title: "PostgreSQL's CPU per event, µs", digits: 0 },
    ],
    rows: [...samples.keys()].map((name) => ({
      name,
      cells: ["perSecond", "mainUs", "databaseCpuUs"].map((figure) => spreadOfFigure(samples, name, figure)),
    })),
    notes: [`Events have six signals, and come in batches of ${batchSize}.`],
    samples,
  };
}

async function tableOfQueries(recorder: Recorder, sessions: number, observations: number): Promise<Table> {
  const rows = [];
  for (const name of queries) {
    const times: number[] = [];
    for (let round = 0; round < 30; round += 1) {
      times.push((await recorder.ask({ kind: "query", name, sessions })).seconds * 1_000);
    }
    rows.push({ name: `\`${name}\``, cells: [spreadOf(times)] });
  }
  return { title: `Queries at ${count(observations)} observations`, columns: [{ title: "ms", digits: 1 }], rows };
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}
