import { type ActivitySearch, createActivitySearch } from "../../src/history/activity-search.js";
import { createSignalHistory, openSignalDatabase } from "../../src/history/index.js";
import { notDurable, type PostgresServer, startPostgres } from "../../test/history-postgres/postgres-server.js";
import type { Group } from "../kit/group.js";
import type { Table } from "../kit/report.js";
import { busyUser, fillLongSql, fillSql, firstAt, longSession, sessionsFor } from "./console-load.js";

/** What the views of the console ask, and how long that may take for 95 of 100 looks. */
interface Question {
  readonly name: string;
  readonly maxMs: number;
  ask(search: ActivitySearch, random: (limit: number) => number): Promise<unknown>;
}

const page = { limit: 100 };
const hourMs = 3_600_000;

function questionsFor(sessions: number): readonly Question[] {
  const some = (random: (limit: number) => number): string => `s${1 + random(sessions - 1)}`;
  const lastMs = firstAt + sessions * 10_000;
  return [
    { name: "timeline", maxMs: 100, ask: (search, random) => search.timeline(some(random), page) },
    { name: "timeline of 20,000 activities", maxMs: 100, ask: (search) => search.timeline(longSession, page) },
    {
      name: "search: session",
      maxMs: 300,
      ask: (search, random) => search.search({ ...page, sessionId: some(random) }),
    },
    {
      name: "search: user",
      maxMs: 300,
      ask: (search, random) => search.search({ ...page, userId: `u${1_000 + random(sessions / 4)}` }),
    },
    {
      name: "search: user with 1,000 sessions",
      maxMs: 300,
      ask: (search) => search.search({ ...page, userId: busyUser }),
    },
    { name: "search: action", maxMs: 300, ask: (search) => search.search({ ...page, action: "login" }) },
    { name: "search: status", maxMs: 300, ask: (search) => search.search({ ...page, status: "PERMISSION_DENIED" }) },
    { name: "search: rare status", maxMs: 300, ask: (search) => search.search({ ...page, status: "DATA_LOSS" }) },
    {
      name: "search: action and rare status",
      maxMs: 300,
      ask: (search) => search.search({ ...page, action: "login", status: "DATA_LOSS" }),
    },
    {
      name: "search: action and status that never meet",
      maxMs: 300,
      ask: (search) => search.search({ ...page, action: "refresh", status: "PERMISSION_DENIED" }),
    },
    { name: "search: not verified", maxMs: 300, ask: (search) => search.search({ ...page, verified: false }) },
    {
      name: "search: an hour, action and status",
      maxMs: 300,
      ask(search, random) {
        const sinceMs = firstAt + random(lastMs - firstAt);
        return search.search({ ...page, sinceMs, untilMs: sinceMs + hourMs, action: "login", status: "OK" });
      },
    },
    {
      name: "search: nothing fits",
      maxMs: 300,
      ask: (search) => search.search({ ...page, action: "login", status: "NEVER" }),
    },
    { name: "changes of a signal", maxMs: 300, ask: (search) => search.changes({ ...page, signal: "country" }) },
    {
      name: "changes to a value",
      maxMs: 300,
      ask: (search) => search.changes({ ...page, signal: "country", value: "CH" }),
    },
    {
      name: "changes of a value",
      maxMs: 300,
      ask: (search) => search.changes({ ...page, signal: "country", previousValue: "DE" }),
    },
    {
      name: "changes of a value that never was",
      maxMs: 300,
      ask: (search) => search.changes({ ...page, signal: "country", previousValue: "none" }),
    },
    { name: "names of the signals", maxMs: 100, ask: (search) => search.signals() },
    { name: "extent", maxMs: 100, ask: (search) => search.extent() },
  ];
}

export const consoleGroup: Group = {
  name: "console",
  what: "what the console asks the history, at 10 million observations on PostgreSQL",
  isOnDemand: true,
  async run({ isQuick, say }) {
    const observations = isQuick ? 100_000 : 10_000_000;
    // Filling it is not what is measured.
    const server = await startPostgres({ settings: { ...notDurable, shared_buffers: "512MB", max_wal_size: "4GB" } });
    try {
      const sessions = sessionsFor(observations);
      await fill(server, sessions, say);
      return { name: "console", tables: [await measure(server, sessions, isQuick ? 20 : 200, observations)] };
    } finally {
      await server.close();
    }
  },
};

const sessionsAtOnce = 10_000;

async function fill(server: PostgresServer, sessions: number, say: (line: string) => void): Promise<void> {
  const database = openSignalDatabase({ url: server.url(), env: false });
  await createSignalHistory({ database, env: false }).migrate();
  await database.close();
  for (let from = 1; from < sessions; from += sessionsAtOnce) {
    await server.sql("postgres", ...fillSql(from, Math.min(sessions, from + sessionsAtOnce)));
    say(`${Math.min(sessions, from + sessionsAtOnce)} of ${sessions} sessions`);
  }
  await server.sql("postgres", ...fillLongSql(), "vacuum analyze");
}

async function measure(server: PostgresServer, sessions: number, rounds: number, observations: number): Promise<Table> {
  const database = openSignalDatabase({ url: server.url(), readOnly: true, env: false });
  const search = createActivitySearch(database, "signal_history");
  const random = (limit: number): number => Math.floor(Math.random() * limit);
  const rows = [];
  for (const { name, maxMs, ask } of questionsFor(sessions)) {
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const start = performance.now();
      await ask(search, random);
      times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);
    const [half, most] = [quantile(times, 0.5), quantile(times, 0.95)];
    rows.push({ name, cells: [half, most, most <= maxMs ? `yes, ${maxMs}` : `NO, ${maxMs}`] });
  }
  await database.close();
  return {
    title: `At ${observations.toLocaleString("en-US")} observations on PostgreSQL`,
    columns: [
      { title: "median, ms", digits: 1 },
      { title: "p95, ms", digits: 1 },
      { title: "within its bound, ms", digits: 0 },
    ],
    rows,
    notes: [`${rounds} looks each, of 100 activities, one after another.`],
  };
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
