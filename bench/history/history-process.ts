// Records events in a signal history: `node history-process.js URL`, or without it, in PGlite in memory.
import { readFileSync } from "node:fs";
import { createSignalHistory, type OpenSignalDatabase, openSignalDatabase } from "connect-session-activity/history";
import { answerParent } from "../kit/peer-process.js";
import { parseSchedstat } from "../kit/proc-files.js";
import { cpuBetween, threadsOf } from "../kit/thread-cpu.js";
import { freshEvents, prefill, prefilledAt, sessionId } from "./history-load.js";

export type HistoryQuestion =
  /** Brings the history from one number of sessions to another. */
  | { readonly kind: "prefill"; readonly from: number; readonly to: number }
  /** Records so many fresh events. */
  | {
      readonly kind: "record";
      readonly events: number;
      readonly sessions: number;
      readonly writers: number;
      readonly batchSize: number;
    }
  /** Asks one of the queries once. */
  | { readonly kind: "query"; readonly name: QueryName; readonly sessions: number };

export interface HistoryAnswer {
  readonly seconds: number;
  /** Of this process. */
  readonly mainUs: number;
  /** Of PostgreSQL's. */
  readonly databaseCpuUs: number;
}

export type QueryName = "history(sessionId)" | "current(sessionId)" | "changes({ since, signal }), 1,000 of them";

const url = process.argv[2];
const database: OpenSignalDatabase =
  url === undefined ? openSignalDatabase() : openSignalDatabase({ url, maxConnections: 5, timeoutMs: 3_600_000 });
const history = createSignalHistory({ database, log: false });
await history.migrate();

const anySession = (sessions: number): string => sessionId(Math.floor(Math.random() * sessions));
const last = (sessions: number): Date => new Date(prefilledAt(Math.max(0, sessions - 1_000)));
const queries: Readonly<Record<QueryName, (sessions: number) => Promise<unknown>>> = {
  "history(sessionId)": (sessions) => history.history(anySession(sessions)),
  "current(sessionId)": (sessions) => history.current(anySession(sessions)),
  "changes({ since, signal }), 1,000 of them": (sessions) =>
    history.changes({ since: last(sessions), signal: "country" }),
};

/** CPU time of the connections' processes. They stay the same while a round runs. */
async function databaseCpuUs(): Promise<number> {
  if (url === undefined) return 0;
  const { rows } = await database.query(
    "select pid from pg_stat_activity where application_name = 'session-activity'",
    [],
  );
  const pids = (rows as readonly { readonly pid: number }[]).map(({ pid }) => pid);
  return pids.reduce((sum, pid) => sum + parseSchedstat(readFileSync(`/proc/${pid}/schedstat`, "utf8")), 0);
}

async function work(question: HistoryQuestion): Promise<unknown> {
  if (question.kind === "query") return queries[question.name](question.sessions);
  if (question.kind === "prefill") {
    for (const statement of prefill("signal_history", question.from, question.to)) await database.query(statement, []);
    return;
  }
  const { events: count, sessions, writers, batchSize } = question;
  const events = freshEvents(count, sessions, Math.random);
  const batches = Array.from({ length: Math.ceil(count / batchSize) }, () => events.splice(0, batchSize));
  const writer = async (): Promise<void> => {
    for (let batch = batches.pop(); batch !== undefined; batch = batches.pop()) await history.recordBatch(batch);
  };
  return Promise.all(Array.from({ length: writers }, writer));
}

answerParent(
  async (question: HistoryQuestion): Promise<HistoryAnswer> => {
    const cpuBefore = await databaseCpuUs();
    const before = threadsOf(process.pid);
    const start = performance.now();
    await work(question);
    const seconds = (performance.now() - start) / 1_000;
    const { mainUs } = cpuBetween(process.pid, before, threadsOf(process.pid));
    return { seconds, mainUs, databaseCpuUs: (await databaseCpuUs()) - cpuBefore };
  },
  () => database.close(),
);
