import { connect, createServer, type Socket } from "node:net";
import Pg from "pg";
import { listen } from "../support/listen.js";
import { pause } from "../support/until.js";
import type { PostgresServer } from "./postgres-server.js";

/** A transaction of somebody else, which stays open until it is ended. */
export interface ForeignTransaction {
  query(text: string, values?: unknown[]): Promise<unknown>;
  end(): Promise<void>;
}

export async function openTransaction(url: string): Promise<ForeignTransaction> {
  const client = new Pg.Client({ connectionString: url, application_name: "somebody else" });
  client.on("error", () => {});
  await client.connect();
  await client.query("begin");
  return {
    query: (text, values) => client.query(text, values),
    async end() {
      await client.query("rollback").catch(() => {});
      await client.end();
    },
  };
}

/** Takes a session's lock, which `src/history/sql/lock.ts` makes. */
export const lockSession = "select pg_advisory_xact_lock(hashtextextended($1, hashtextextended('signal_history', 1)))";

/** Resolves with the server's process that records and waits for a lock. */
export async function untilWaiting(server: PostgresServer): Promise<number> {
  for (;;) {
    const pid = await waitingProcess(server);
    if (pid !== undefined) return pid;
    await pause(10);
  }
}

/** Resolves when none does any more. */
export async function untilNoneWaits(server: PostgresServer): Promise<void> {
  while ((await waitingProcess(server)) !== undefined) await pause(10);
}

async function waitingProcess(server: PostgresServer): Promise<number | undefined> {
  const [row] = await server.sql(
    "postgres",
    `select pid from pg_stat_activity
      where application_name = 'session-activity' and wait_event_type = 'Lock' and query like '%record_activities%'`,
  );
  return row && Number(row["pid"]);
}

/** A wire to the server that can be cut. */
export interface Wire {
  readonly port: number;
  /** Resets all connections, now. */
  cut(): void;
  /** So many answers are handed on first, if there are some to lose. Counts down. */
  answersToPass: number;
  /** Resets a connection when the next answer of the server has come, instead of handing it on. Counts down. */
  answersToLose: number;
  /** Whether each answer is replaced by a message that no PostgreSQL sends. */
  garbles: boolean;
  /** Cuts that hit a connection. */
  readonly cuts: number;
}

/** Whether an answer ends here: with ReadyForQuery. A long one begins before. */
function isEnd(data: Buffer): boolean {
  return data.at(-6) === "Z".charCodeAt(0);
}

/** Framed as a message is, of a kind that does not exist. */
const unknownMessage = Buffer.from("x\0\0\0\bjunk");

/** Starts one, until the test is over. */
export async function startWire(target: number): Promise<Wire> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let cuts = 0;
  const reset = (pair: readonly [Socket, Socket]): void => {
    if (!pairs.delete(pair)) return;
    cuts += 1;
    pair[0].resetAndDestroy();
    pair[1].resetAndDestroy();
  };
  const server = createServer((client) => {
    const upstream = connect(target, "127.0.0.1");
    const pair = [client, upstream] as const;
    pairs.add(pair);
    for (const [one, other] of [pair, [upstream, client]] as const) {
      one.on("error", () => {});
      one.on("close", () => {
        pairs.delete(pair);
        other.destroy();
      });
    }
    client.on("data", (data) => upstream.write(data));
    upstream.on("data", (answer) => {
      const data = wire.garbles ? unknownMessage : answer;
      if (wire.answersToLose === 0 || wire.answersToPass > 0) {
        client.write(data);
        if (wire.answersToLose > 0 && isEnd(data)) wire.answersToPass -= 1;
      } else if (isEnd(data)) {
        wire.answersToLose -= 1;
        reset(pair);
      }
    });
  });
  const { port } = await listen(server);
  const wire: Wire = {
    port,
    cut() {
      for (const pair of pairs) reset(pair);
    },
    answersToPass: 0,
    answersToLose: 0,
    garbles: false,
    get cuts() {
      return cuts;
    },
  };
  return wire;
}
