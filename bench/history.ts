// What a signal history costs, and whether it grows with the table: `npm run bench:history`.
//
// Events have the six signals of a usual session context. PostgreSQL runs on this machine, as durable as it is by itself. It
// is filled by SQL in steps, and at each of them fresh events of sessions at random are recorded, in batches.
import { readFileSync } from "node:fs";
import {
  createSignalHistory,
  type OpenSignalDatabase,
  openSignalDatabase,
  type SignalHistory,
} from "connect-session-activity/history";
import { startPostgres } from "../test/history-postgres/postgres-server.js";
import { freshEvents, prefill, sessionsFor } from "./history-load.js";
import { measureQueries, showPlans } from "./history-queries.js";
import { mainThreadCpuUs, spread } from "./measure.js";

const eventsPerRound = 5_000;
const rounds = 3;
const steps = (process.argv[2] ?? "10000,100000,1000000,10000000").split(",").map(Number);

/** How batches are recorded: by so many at the same time, with so many events each. */
interface Way {
  readonly writers: number;
  readonly batchSize: number;
}

/** What a round of recording took, per event. */
interface Cost {
  readonly perSecond: number;
  readonly mainUs: number;
  /** From each question to its answer. */
  readonly databaseUs: number;
  readonly databaseCpuUs: number;
}

type CpuMeter = () => Promise<ReadonlyMap<number, number>>;

/** A database that counts for how long it was asked. */
interface TimedDatabase extends OpenSignalDatabase {
  spentMs: number;
  /** The CPU time of its processes by their ids; none where it has none of its own. */
  cpuUs: CpuMeter;
}

function timed(database: OpenSignalDatabase, cpuUs: CpuMeter): TimedDatabase {
  const own: TimedDatabase = {
    spentMs: 0,
    cpuUs,
    async query(text, values) {
      const start = performance.now();
      const answer = await database.query(text, values);
      own.spentMs += performance.now() - start;
      return answer;
    },
    close: () => database.close(),
  };
  return own;
}

async function record(
  database: TimedDatabase,
  history: SignalHistory,
  sessions: number,
  { writers, batchSize }: Way,
): Promise<Cost> {
  const events = freshEvents(eventsPerRound, sessions, Math.random);
  const before = await database.cpuUs();
  database.spentMs = 0;
  const [main, start] = [mainThreadCpuUs(), performance.now()];
  const writer = async (): Promise<void> => {
    while (events.length > 0) await history.recordBatch(events.splice(0, batchSize));
  };
  await Promise.all(Array.from({ length: writers }, writer));
  const ms = performance.now() - start;
  const mainUs = mainThreadCpuUs() - main;
  let cpuUs = 0;
  // Connections come and go.
  for (const [pid, us] of await database.cpuUs()) cpuUs += us - (before.get(pid) ?? 0);
  return {
    perSecond: (eventsPerRound / ms) * 1_000,
    mainUs: mainUs / eventsPerRound,
    databaseUs: (database.spentMs * 1_000) / eventsPerRound,
    databaseCpuUs: cpuUs / eventsPerRound,
  };
}

async function measure(
  title: string,
  database: TimedDatabase,
  history: SignalHistory,
  sessions: number,
  ways: readonly Way[],
): Promise<void> {
  for (const way of ways) {
    const costs: Cost[] = [];
    for (let round = -1; round < rounds; round += 1) {
      const cost = await record(database, history, sessions, way);
      if (round >= 0) costs.push(cost);
    }
    const of = (name: keyof Cost): string =>
      spread(
        costs.map((cost) => cost[name]),
        0,
      );
    const cpu = costs[0]?.databaseCpuUs === 0 ? "" : `, ${of("databaseCpuUs")} us of it CPU`;
    console.log(
      `${title}, ${way.writers} at a time, batches of ${way.batchSize}: ${of("perSecond")} events/s; per event ` +
        `${of("mainUs")} us of main-thread CPU, ${of("databaseUs")} us in the database${cpu}`,
    );
  }
  const { recorded, duplicates, late, notRecorded } = history.stats();
  if (duplicates > 0 || Object.keys({ ...late, ...notRecorded }).length > 0 || recorded === 0) {
    throw new Error(`not all was recorded: ${JSON.stringify(history.stats())}`);
  }
}

const oneByOne = [100, 500].map((batchSize) => ({ writers: 1, batchSize }));

async function measureEmbedded(): Promise<void> {
  // It runs on the main thread.
  const database = timed(openSignalDatabase(), () => Promise.resolve(new Map()));
  const history = createSignalHistory({ database, log: false });
  await history.migrate();
  const sessions = sessionsFor(100_000);
  for (const statement of prefill("signal_history", 0, sessions)) await database.query(statement);
  await measure("PGlite in memory, 100000 observations", database, history, sessions, oneByOne);
  await database.close();
}

async function measureServer(): Promise<void> {
  const server = await startPostgres({
    settings: { shared_buffers: "1GB", max_wal_size: "4GB", shared_preload_libraries: "auto_explain" },
  });
  try {
    const url = server.url();
    const database = timed(openSignalDatabase({ url, maxConnections: 2, timeoutMs: 3_600_000 }), async () => {
      const rows = await server.sql(
        "postgres",
        "select pid from pg_stat_activity where application_name = 'session-activity'",
      );
      const cpuOf = (pid: number): number =>
        Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ", 1)[0]) / 1_000;
      return new Map(rows.map(({ pid }) => [Number(pid), cpuOf(Number(pid))]));
    });
    const history = createSignalHistory({ database, log: false });
    await history.migrate();
    let sessions = 0;
    for (const step of steps) {
      const goal = sessionsFor(step);
      for (const statement of prefill("signal_history", sessions, goal)) await database.query(statement);
      sessions = goal;
      const [size] = await server.sql(
        "postgres",
        `select pg_size_pretty(sum(pg_total_relation_size(oid))) as size from pg_class
        where relnamespace = 'signal_history'::regnamespace and relkind = 'r'`,
      );
      const title = `PostgreSQL, ${step} observations (${size?.["size"]})`;
      await measure(title, database, history, sessions, [...oneByOne, { writers: 2, batchSize: 100 }]);
    }
    await measureQueries(history, sessions);
    await database.close();
    await showPlans(server, sessions);
  } finally {
    await server.close();
  }
}

if (process.argv[3] !== "server") await measureEmbedded();
await measureServer();
