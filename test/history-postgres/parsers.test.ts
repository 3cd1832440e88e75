import Pg from "pg";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { createSignalHistory, openSignalDatabase, type SignalDatabase } from "../../src/history/index.js";
import { eventOf, recordOf } from "../history/history-fixtures.js";
import { notDurable, type PostgresServer, startPostgres } from "./postgres-server.js";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres({ settings: notDurable });
});
afterAll(() => server?.close());

/** Whatever a process makes of types, as for booleans, numbers, times and JSON, which other code in it may want otherwise. */
const wishes: readonly (readonly [string, (text: string) => unknown])[] = [
  ["as texts", (text) => text],
  ["as objects", (text) => ({ text })],
  ["not at all", () => undefined],
];
const { TEXT, VARCHAR, BPCHAR } = Pg.types.builtins;
const types = Object.values(Pg.types.builtins).filter((type) => type !== TEXT && type !== VARCHAR && type !== BPCHAR);

it.each(wishes)("what a process makes of PostgreSQL's types changes nothing: %s", async (name, parse) => {
  for (const type of types) Pg.types.setTypeParser(type, parse);
  const url = await server.createDatabase(name.replaceAll(" ", "_"));
  const pool = new Pg.Pool({ connectionString: url });
  onTestFinished(() => pool.end());
  const opened = openSignalDatabase({ url });
  onTestFinished(() => opened.close());
  const databases: SignalDatabase[] = [pool, opened];
  for (const [index, database] of databases.entries()) {
    const history = createSignalHistory({
      database,
      schema: `history_${index}`,
      latenessMs: 1_000,
      tombstoneKey: "a key of the tests",
      log: false,
    });
    await history.migrate();
    const event = eventOf({ id: "a", at: 1_234, user: "ada", country: "DE" });
    Object.assign(event, { contextVerified: true, statusInferred: true });
    const expected = {
      startedAt: new Date(1_234),
      completedAt: new Date(1_239),
      value: "DE",
      previousValue: undefined,
      verified: true,
      statusInferred: true,
    };
    expect(await history.record(event)).toMatchObject([expected, { signal: "user_id" }]);
    const more = Array.from({ length: 5_100 }, (_, n) => eventOf({ id: `b${n}`, at: 2_000 + n, country: "DE" }));
    await history.recordBatch(more);
    const late = eventOf({ id: "z", at: 100_000, country: "FR" });
    expect(await history.record(late)).toMatchObject([{ previousValue: "DE", verified: false, statusInferred: false }]);
    expect(await history.compact()).toBe(5_100);
    for (const ask of [history.history("session-1"), history.changes(), history.triggeredBy("a")]) {
      expect((await ask)[0]).toMatchObject(expected);
    }
    expect(await history.current("session-1")).toMatchObject([{ value: "FR" }, { value: "ada" }]);
    await history.setAside(recordOf(eventOf({ id: "aside", at: 1_000, country: "DE" })), "rejected");
    expect(await history.listSetAside()).toMatchObject([{ partition: 3, retryable: true, eventId: "aside" }]);
    expect(await history.retrySetAside()).toMatchObject({ recorded: 1, kept: 0 });
    expect(await history.forget({ userId: "ada" })).toEqual({ sessions: 1, changes: 3 });
    expect(history.stats()).toMatchObject({ recorded: 5_102, changed: 3, setAside: 1, late: { late: 1 } });
  }
});
