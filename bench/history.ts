// What a signal history costs, and whether it grows with the table: `npm run bench:history`.
//
// Events have the six signals of a usual session context. PostgreSQL runs on this machine, as durable as it is by itself. It
// is filled by SQL in steps, and at each of them fresh events of sessions at random are recorded, in batches.
import { readFileSync } from "node:fs";
import { createSignalHistory, openSignalDatabase, type SignalHistory } from "connect-session-activity/history";
import { startPostgres } from "../test/history-postgres/server.js";
import { freshEvents, prefill, sessionsFor } from "./history-load.js";
import { measureQueries, showPlans } from "./history-queries.js";
import { mainThreadCpuUs, spread } from "./measure.js";

const batchSizes = [100, 500] as const;
const eventsPerRound = 5_000;
const rounds = 3;
const steps = (process.argv[2] ?? "10000,100000,1000000,10000000").split(",").map(Number);

/** What a round of recording took, per event. */
interface Cost {
  readonly perSecond: number;
  readonly mainUs: number;
  /** Both are not a number where the database runs on the main thread. */
  readonly databaseUs: number;
  readonly databaseCpuUs: number;
}

/** What the database has spent on recording since it was started. */
type Meter = () => Promise<{ readonly ms: number; readonly cpuMs: number }>;

async function record(history: SignalHistory, sessions: number, batchSize: number, meter: Meter): Promise<Cost> {
  const events = freshEvents(eventsPerRound, sessions, Math.random);
  const [before, cpu, start] = [await meter(), mainThreadCpuUs(), performance.now()];
  for (let from = 0; from < events.length; from += batchSize) {
    await history.recordBatch(events.slice(from, from + batchSize));
  }
  const ms = performance.now() - start;
  const mainUs = (mainThreadCpuUs() - cpu) / eventsPerRound;
  const after = await meter();
  return {
    perSecond: (eventsPerRound / ms) * 1_000,
    mainUs,
    databaseUs: ((after.ms - before.ms) * 1_000) / eventsPerRound,
    databaseCpuUs: ((after.cpuMs - before.cpuMs) * 1_000) / eventsPerRound,
  };
}

async function measure(title: string, history: SignalHistory, sessions: number, meter: Meter): Promise<void> {
  for (const batchSize of batchSizes) {
    const costs: Cost[] = [];
    for (let round = -1; round < rounds; round += 1) {
      const cost = await record(history, sessions, batchSize, meter);
      if (round >= 0) costs.push(cost);
    }
    const of = (name: keyof Cost, digits: number): string =>
      spread(
        costs.map((cost) => cost[name]),
        digits,
      );
    const inDatabase = Number.isNaN(costs[0]?.databaseUs)
      ? "the database in it"
      : `in the database ${of("databaseUs", 0)} us, of CPU ${of("databaseCpuUs", 0)} us`;
    console.log(
      `${title}, batches of ${batchSize}: ${of("perSecond", 0)} events/s; ` +
        `per event ${of("mainUs", 0)} us of main-thread CPU, ${inDatabase}`,
    );
  }
  const { recorded, duplicates, late, notRecorded } = history.stats();
  if (duplicates > 0 || Object.keys({ ...late, ...notRecorded }).length > 0 || recorded === 0) {
    throw new Error(`not all was recorded: ${JSON.stringify(history.stats())}`);
  }
}

async function measureEmbedded(): Promise<void> {
  const database = openSignalDatabase();
  const history = createSignalHistory({ database, log: false });
  await history.migrate();
  const sessions = sessionsFor(100_000);
  for (const statement of prefill("signal_history", 0, sessions)) await database.query(statement);
  const meter = () => Promise.resolve({ ms: Number.NaN, cpuMs: Number.NaN });
  await measure("PGlite in memory, 100000 observations", history, sessions, meter);
  await database.close();
}

async function measureServer(): Promise<void> {
  const server = await startPostgres({
    settings: {
      track_functions: "pl",
      shared_buffers: "1GB",
      max_wal_size: "4GB",
      shared_preload_libraries: "auto_explain",
    },
  });
  try {
    const database = openSignalDatabase({ url: server.url(), maxConnections: 1, timeoutMs: 3_600_000 });
    const history = createSignalHistory({ database, log: false });
    await history.migrate();
    const [{ pid }] = (await database.query("select pg_backend_pid() as pid")).rows as [{ pid: number }];
    const meter: Meter = async () => {
      // Otherwise the connection's counts come later.
      await database.query("select pg_stat_force_next_flush()");
      const [row] = await server.sql(
        "postgres",
        "select coalesce(sum(total_time), 0) as ms from pg_stat_user_functions where funcname = 'record_activities'",
      );
      const cpuNs = readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ", 1)[0];
      return { ms: Number(row?.["ms"]), cpuMs: Number(cpuNs) / 1e6 };
    };
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
      await measure(`PostgreSQL, ${step} observations (${size?.["size"]})`, history, sessions, meter);
    }
    await measureQueries(history, sessions);
    await showPlans(server, database, history, sessions);
    await database.close();
  } finally {
    await server.close();
  }
}

if (process.argv[3] !== "server") await measureEmbedded();
await measureServer();
