import { inspect } from "node:util";
import { expect } from "vitest";
import { failureOf } from "../../src/base/failure.js";
import {
  createSignalHistory,
  type OpenSignalDatabase,
  openSignalDatabase,
  type SignalHistory,
} from "../../src/history/index.js";
import type { SessionActivityEvent } from "../../src/index.js";
import { eventOf, type Told } from "../history/history-fixtures.js";
import { deliveriesOf, generateSessions, type Session } from "../history/sessions.js";
import { createRandom } from "../support/random.js";
import { wrongSessions } from "./comparison.js";
import type { PostgresServer } from "./postgres-server.js";

/** A history of which a part is recorded, and the batch that comes next and changes what is there. */
export interface Scene {
  readonly name: string;
  readonly url: string;
  readonly history: SignalHistory;
  readonly database: OpenSignalDatabase;
  readonly sessions: readonly Session[];
  readonly batch: readonly SessionActivityEvent[];
  /** One of the batch that is not recorded yet. */
  readonly fresh: Told;
  /** All that is stored, as one text. */
  stored(): Promise<string>;
  /** Records the batch again, and finds exactly the model's history. */
  retry(): Promise<void>;
  close(): Promise<void>;
}

/** What a scene may be set with. */
export interface SceneOptions {
  readonly timeoutMs?: number;
  /** Another way to the same server. */
  readonly port?: number;
  readonly madeWith?: string;
}

export async function setScene(server: PostgresServer, name: string, options: SceneOptions = {}): Promise<Scene> {
  const url = await server.createDatabase(name, options.madeWith);
  const way = new URL(url);
  if (options.port !== undefined) way.port = `${options.port}`;
  const database = openSignalDatabase({ url: way.href, maxConnections: 1, timeoutMs: options.timeoutMs });
  const history = createSignalHistory({ database, log: false });
  await history.migrate();
  const random = createRandom(14);
  const sessions = generateSessions(random, `secret-${name}`, 60);
  const deliveries = deliveriesOf(sessions, random).flat();
  const before = deliveries.slice(0, deliveries.length / 2);
  await history.recordBatch(before.map(eventOf));
  const after = deliveries.slice(before.length);
  const batch = after.map(eventOf);
  const fresh = after.find(({ id }) => before.every((told) => told.id !== id));
  if (fresh === undefined) throw new Error("there is nothing new in the batch");

  async function stored(): Promise<string> {
    const tables = ["state", "activity", "observation", "late_activity", "session_user"];
    const parts = tables.map((table) => `(select json_agg(t order by t::text) from signal_history.${table} t)`);
    return JSON.stringify(await server.sql(name, `select ${parts.map((part, i) => `${part} as t${i}`).join()}`));
  }

  return {
    name,
    url,
    history,
    database,
    sessions,
    batch,
    fresh,
    stored,
    async retry() {
      await history.recordBatch(batch);
      await expectModel(server, name, sessions);
    },
    close: () => database.close(),
  };
}

/** The histories are the model's, and everything stands there once. */
export async function expectModel(server: PostgresServer, name: string, sessions: readonly Session[]): Promise<void> {
  const database = openSignalDatabase({ url: server.url(name), maxConnections: 1 });
  try {
    expect(await wrongSessions(database, sessions)).toEqual([]);
    const happened = sessions.flatMap((session) => session.happened);
    const observations = happened.flatMap(({ country, device, user }) => [country, device, user].filter(Boolean));
    const { rows } = await database.query(`select
      (select count(*)::int from signal_history.activity) as activities,
      (select count(*)::int from signal_history.observation) as observations,
      (select count(*)::int from signal_history.late_activity) as late`);
    expect(rows).toEqual([{ activities: happened.length, observations: observations.length, late: 0 }]);
  } finally {
    await database.close();
  }
}

/** The error that a promise ends with. Whatever hangs on it, nothing of a session may be in it. */
export async function errorOf(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error("it was to fail, and did not");
  expect(failureOf(error)).toBeDefined();
  expect(inspect(error, { depth: Infinity, showHidden: true, maxStringLength: Infinity })).not.toMatch(sessionData);
  return error;
}

/** In every session id and event id of a scene, and in its devices. */
export const sessionData: RegExp = /secret-|laptop|phone/;
