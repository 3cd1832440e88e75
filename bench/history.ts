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
import { type PostgresServer, startPostgres } from "../test/history-postgres/server.js";
import { freshEvents, prefill, prefilledAt, sessionId, sessionsFor, signalsPerEvent } from "./history-load.js";
import { mainThreadCpuUs, spread } from "./measure.js";

const batchSizes = [100, 500] as const;
const eventsPerRound = 5_000;
const rounds = 3;
const steps = (process.argv[2] ?? "10000,100000,1000000,10000000").split(",").map(Number);
const random = Math.random;

/** What a round of recording took, per event. */
interface Cost {
  readonly perSecond: number;
  readonly mainUs: number;
  readonly databaseUs: number;
  readonly databaseCpuUs: number;
}

/** What the database has spent on recording since it was started. */
type Meter = () => Promise<{ readonly ms: number; readonly cpuMs: number }>;

async function record(
  history: SignalHistory,
  sessions: number,
  batchSize: number,
  meter: Meter,
): Promise<Cost> {
  const events = freshEvents(eventsPerRound, sessions, random);
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

async function measure(
  title: string,
  history: SignalHistory,
  sessions: number,
  meter: Meter,
): Promise<void> {
  for (const batchSize of batchSizes) {
    const costs: Cost[] = [];
    for (let round = -1; round < rounds; round += 1) {
      const cost = await record(history, sessions, batchSize, meter);
      if (round >= 0) costs.push(cost);
    }
    const of = (name: keyof Cost, digits: number): string => spread(costs.map((cost) => cost[name]), digits);
    console.log(
      `${title}, batches of ${batchSize}: ${of("perSecond", 0)} events/s; per event ${of("mainUs", 0)} us of ` +
        `main-thread CPU, in the database ${of("databaseUs", 0)} us, of CPU ${of("databaseCpuUs", 0)} us`,
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
  // It runs on the main thread, so what it takes is in that.
  const meter = () => Promise.resolve({ ms: 0, cpuMs: 0 });
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

/** A query of each kind, by the name that it is shown with. */
function queries(history: SignalHistory, sessions: number): Record<string, () => Promise<readonly unknown[]>> {
  const session = () => sessionId(Math.floor(Math.random() * sessions));
  const last = new Date(prefilledAt(sessions - 1_000));
  return {
    "history(sessionId)": () => history.history(session()),
    "current(sessionId)": () => history.current(session()),
    "triggeredBy(eventId)": async () => {
      const [change] = await history.history(session());
      return history.triggeredBy(change?.eventId ?? "");
    },
    "changes({ since }), 1,000 of them": () => history.changes({ since: last }),
    "changes({ since, signal }), 1,000 of them": () => history.changes({ since: last, signal: "country" }),
    "changes({ signal }) of a signal that nobody has": () => history.changes({ signal: "nothing" }),
  };
}

async function measureQueries(history: SignalHistory, sessions: number): Promise<void> {
  for (const [name, query] of Object.entries(queries(history, sessions))) {
    const times: number[] = [];
    let found = 0;
    for (let round = 0; round < 30; round += 1) {
      const start = performance.now();
      found = (await query()).length;
      times.push(performance.now() - start);
    }
    console.log(`${name}: ${spread(times, 2)} ms, ${found} changes`);
  }
}

/** How PostgreSQL finds rows in the largest history, by its own account. */
async function showPlans(
  server: PostgresServer,
  database: OpenSignalDatabase,
  history: SignalHistory,
  sessions: number,
): Promise<void> {
  const settings = { log_min_duration: 0, log_nested_statements: "on", log_analyze: "on", log_buffers: "on" };
  for (const [name, value] of Object.entries(settings)) await database.query(`set auto_explain.${name} = ${value}`);
  const works: Record<string, () => Promise<unknown>> = {
    "recordBatch of 500": () => history.recordBatch(freshEvents(500, sessions, random)),
    ...queries(history, sessions),
    "compact, a step of it": () => database.query("select * from signal_history.compact('1 day', 5000)"),
  };
  for (const [name, work] of Object.entries(works)) {
    const before = server.log().length;
    await work();
    console.log(`plan of ${name}:`);
    const scan = /^\s*(->\s+)?((Seq|Index|Index Only|Tid|Bitmap Heap) Scan.* on (observation|activity|late_activity|tombstone|session_user)\b|(Insert|Update|Delete) on|Function Scan on (record|compact)).*/;
    for (const line of server.log().slice(before).split("\n")) {
      if (scan.test(line)) console.log(`  ${line.trim().replace(/cost=\S+ rows=\d+ width=\d+/, "")}`);
    }
  }
}

if (process.argv[3] !== "server") await measureEmbedded();
await measureServer();
