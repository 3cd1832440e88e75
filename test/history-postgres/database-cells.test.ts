// The cells of docs/failures.md that need a real server: what its failures do to a history, and to a worker.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, onTestFinished } from "vitest";
import { failureOf } from "../../src/base/failure.js";
import type { HistoryWorker, HistoryWorkerOptions } from "../../src/cli/index.js";
import { createSignalHistory, type OpenSignalDatabase, openSignalDatabase } from "../../src/history/index.js";
import { type EmbeddedKafka, startEmbeddedKafka } from "../../src/kafka/index.js";
import { sessionEvents, startWorker, writeSessionEvents } from "../cli/cli-fixtures.js";
import { observedLog } from "../failures/observed-log.js";
import { runCells, type Starts, type Subject } from "../failures/run-cells.js";
import { until } from "../support/until.js";
import { startWire, type Wire } from "./database-faults.js";
import { type PostgresServer, startPostgres } from "./postgres-server.js";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres({ settings: { fsync: false } });
});
afterAll(() => server?.close());

/** A history of its own, a role that may only use it, and a wire between the two. */
interface Place {
  readonly name: string;
  readonly role: string;
  readonly wire: Wire;
  readonly database: OpenSignalDatabase;
  sql(...statements: readonly string[]): Promise<unknown>;
}

async function prepare(): Promise<Place> {
  const name = `cell_${randomBytes(6).toString("hex")}`;
  const role = `recorder_of_${name}`;
  const url = await server.createDatabase(name);
  const owner = openSignalDatabase({ url, env: false });
  await createSignalHistory({ database: owner, env: false, log: false }).migrate();
  await owner.close();
  const sql = (...statements: readonly string[]): Promise<unknown> => server.sql(name, ...statements);
  await sql(
    `create role ${role} login`,
    `grant usage on schema signal_history to ${role}`,
    `grant select, insert, update, delete on all tables in schema signal_history to ${role}`,
  );
  const wire = await startWire(server.port);
  const way = new URL(url);
  way.port = `${wire.port}`;
  way.username = role;
  const database = openSignalDatabase({ url: way.href, maxConnections: 2, timeoutMs: 2_000, env: false });
  onTestFinished(() => database.close());
  return { name, role, wire, database, sql };
}

/** A failure of the database, and its end. */
interface Fault {
  begin(place: Place): Promise<unknown> | void;
  end(place: Place): Promise<unknown> | void;
}

const stopped: Fault = { begin: () => server.stop(), end: () => server.start() };
const cut: Fault = {
  begin({ wire }) {
    wire.answersToLose = Number.POSITIVE_INFINITY;
  },
  end({ wire }) {
    wire.answersToLose = 0;
  },
};
const frozen: Fault = { begin: () => server.freeze(), end: () => server.thaw() };
const garbled: Fault = {
  begin({ wire }) {
    wire.garbles = true;
  },
  end({ wire }) {
    wire.garbles = false;
  },
};
const withoutRight: Fault = {
  begin: ({ sql, role }) => sql(`revoke insert on signal_history.observation from ${role}`),
  end: ({ sql, role }) => sql(`grant insert on signal_history.observation to ${role}`),
};
const withoutLogin: Fault = {
  begin: ({ sql, role }) =>
    sql(
      `alter role ${role} nologin`,
      `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${role}'`,
    ),
  end: ({ sql, role }) => sql(`alter role ${role} login`),
};
const withoutColumn: Fault = {
  begin: ({ sql }) => sql("alter table signal_history.activity rename column action to was_action"),
  end: ({ sql }) => sql("alter table signal_history.activity rename column was_action to action"),
};
/** The database can never take event 50. */
const againstOne: Fault = {
  begin: ({ sql }) =>
    sql(
      `create function refuse() returns trigger language plpgsql as
        $$ begin raise exception 'no' using errcode = '22P02'; end $$`,
      `create trigger refuse before insert on signal_history.activity for each row
        when (new.event_id = 'event-000050') execute function refuse()`,
    ),
  end: ({ sql }) => sql("drop trigger refuse on signal_history.activity"),
};

const events = sessionEvents(80);

/** A history whose caller tries again and again to record the second half of the events. */
async function startHistory(fault: Fault): Promise<Subject> {
  const place = await prepare();
  const log = observedLog();
  const history = createSignalHistory({ database: place.database, env: false, log });
  let failure: string | undefined;
  let isFailing = false;
  async function record(): Promise<void> {
    try {
      await history.recordBatch(events.slice(40));
      failure = undefined;
    } catch (error) {
      failure = failureOf(error);
    }
  }
  return {
    log,
    stats() {
      // A connection that is cut comes first, and then what a new one is told.
      if (isFailing) void record();
      return { ...history.stats(), failure };
    },
    async works() {
      await history.recordBatch(events.slice(0, 40));
    },
    async fail() {
      await fault.begin(place);
      await record();
      isFailing = true;
    },
    async recover() {
      isFailing = false;
      expect(history.stats()).toMatchObject({ recorded: 40 });
      await fault.end(place);
      const isRecorded = async (): Promise<boolean> => {
        await record();
        return failure === undefined;
      };
      await until(isRecorded, () => failure);
      expect(await place.sql("select count(*)::int as count from signal_history.activity")).toEqual([{ count: 80 }]);
    },
  };
}

async function kafkaOfTest(): Promise<EmbeddedKafka> {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  return kafka;
}

/** A worker that has recorded the first half of the events when its database fails. */
async function startRecorder(
  fault: Fault,
  {
    afterwards,
    aside = 0,
    ...options
  }: HistoryWorkerOptions & { aside?: number; afterwards?: (place: Place) => Promise<void> } = {},
): Promise<Subject> {
  const place = await prepare();
  const { brokers } = await kafkaOfTest();
  const log = observedLog();
  const kafka = { brokers, groupId: "g" };
  const worker = startWorker({ database: place.database, kafka, stuckAfterMs: 500, env: false, log, ...options });
  await writeSessionEvents(brokers, "session-activities", events.slice(0, 40));
  return {
    log,
    stats: worker.stats,
    works: () => until(() => worker.stats().history.recorded === 40 && worker.stats().ready, worker.stats),
    async fail() {
      await fault.begin(place);
      await writeSessionEvents(brokers, "session-activities", events.slice(40));
    },
    async recover() {
      if (aside === 0) await fault.end(place);
      await until(() => worker.stats().history.recorded === 80 - aside && worker.stats().ready, worker.stats, 60_000);
      if (aside > 0) await fault.end(place);
      await afterwards?.(place);
    },
  };
}

/** The event that was set aside is recorded by whoever tries it again. */
async function retryIt({ database }: Place): Promise<void> {
  const history = createSignalHistory({ database, env: false, log: false });
  expect(await history.retrySetAside()).toMatchObject({ recorded: 1, kept: 0 });
  expect(await history.listSetAside()).toEqual([]);
}

/** A worker that may not log in when it starts. */
async function startRefused(): Promise<Subject> {
  const place = await prepare();
  await withoutLogin.begin(place);
  const { brokers } = await kafkaOfTest();
  const log = observedLog();
  const start = (): HistoryWorker =>
    startWorker({ database: place.database, kafka: { brokers, groupId: "g" }, env: false, log });
  let worker: HistoryWorker | undefined;
  return {
    log,
    stats: () => worker?.stats() ?? {},
    fail() {
      worker = start();
    },
    async recover() {
      await expect(worker?.closed).rejects.toThrow(/^the database refuses: 28000 /);
      await withoutLogin.end(place);
      const next = start();
      await until(() => next.stats().ready, next.stats);
    },
  };
}

const both = (component: "signal history" | "history worker", start: (fault: Fault) => Promise<Subject>): Starts => ({
  [`is absent (the server is stopped): ${component}`]: () => start(stopped),
  [`refuses (connections break): ${component}`]: () => start(cut),
  [`hangs (the server stands still): ${component}`]: () => start(frozen),
  [`answers wrongly (its answers are garbled): ${component}`]: () => start(garbled),
  [`refuses for good (a right is taken away): ${component}`]: () => start(withoutRight),
  [`refuses for good (its login is taken away): ${component}`]: () => start(withoutLogin),
  [`refuses for good (a column is missing): ${component}`]: () => start(withoutColumn),
});

runCells("npm run test:postgres", "PostgreSQL", {
  ...both("signal history", startHistory),
  "refuses for good (one event): signal history": () => startHistory(againstOne),
  ...both("history worker", (fault) => startRecorder(fault)),
  "refuses for good (no login at the start): history worker": startRefused,
  "refuses for good (one event): history worker": () => startRecorder(againstOne, { aside: 1, afterwards: retryIt }),
  "refuses for good (one event, and `set_aside` is full): history worker": () =>
    startRecorder(againstOne, { aside: 1, history: { maxSetAsideBytes: 0 } }),
});
