import { assert, asyncProperty, constantFrom, double, oneof, option, record, string, uint8Array } from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createSignalHistory,
  openSignalDatabase,
  type RecordToSetAside,
  type SetAsideOutcome,
  type SetAsideRecord,
  type SignalDatabase,
  type SignalHistory,
} from "../../src/history/index.js";
import { migrateStatement } from "../../src/history/schema.js";
import { recordingLogger } from "../kafka/kafka-fixtures.js";
import { rejectionOf } from "../support/refusal.js";
import { eventOf, recordOf } from "./history-fixtures.js";
import { linesOf } from "./model.js";

const tombstoneKey = "a key of at least 16 bytes";
const embedded = openSignalDatabase();
let schemas = 0;
beforeAll(() => embedded.query("select 1"), 60_000);
afterAll(() => embedded.close());

/** The code with which the database refuses to record, for as long as it is set. */
let refusal: string | undefined;
const database: SignalDatabase = {
  async query(text, values) {
    if (refusal !== undefined && text.includes("record_activities")) {
      throw Object.assign(new Error("refused"), { code: refusal });
    }
    return embedded.query(text, values);
  },
};

async function newHistory(options: Parameters<typeof createSignalHistory>[0] = {}): Promise<SignalHistory> {
  refusal = undefined;
  schemas += 1;
  const history = createSignalHistory({ database, schema: `aside_${schemas}`, tombstoneKey, log: false, ...options });
  await history.migrate();
  return history;
}

const poison = eventOf({ id: "poison", at: 1_000, session: "s", user: "ada", country: "DE" });
const reasons = (records: readonly SetAsideRecord[]): string[] => records.map(({ reason }) => reason);

it("a record that cannot be recorded is set aside once, looked at, and recorded when that heals", async () => {
  const history = await newHistory();
  const given = recordOf(poison);
  refusal = "22P02";
  await expect(history.record(poison)).rejects.toMatchObject({ failure: "poison" });
  await history.setAside(given, "rejected_22P02");
  await history.setAside(given, "rejected_22P02");
  expect(history.stats()).toMatchObject({ setAside: 1, recorded: 0 });
  const [found, ...others] = await history.listSetAside();
  expect(others).toEqual([]);
  expect(found).toMatchObject({
    eventId: "poison",
    topic: given.topic,
    partition: given.partition,
    offset: given.offset,
    reason: "rejected_22P02",
    retryable: true,
  });
  expect(Math.abs(Date.now() - found!.setAsideAt.getTime())).toBeLessThan(60_000);

  expect(await history.retrySetAside()).toEqual({ recorded: 0, kept: 1, changes: [], cursor: found!.cursor });
  expect(await history.listSetAside()).toEqual([found]);
  refusal = undefined;
  const retried = await history.retrySetAside();
  expect(retried).toEqual({
    recorded: 1,
    kept: 0,
    changes: await history.triggeredBy("poison"),
    cursor: found!.cursor,
  });
  expect(retried.changes).toHaveLength(2);
  expect(await history.retrySetAside()).toEqual({ recorded: 0, kept: 0, changes: [], cursor: undefined });
  expect(await history.listSetAside()).toEqual([]);
  expect(await linesOf(history, "s")).toEqual(["country=DE by poison", "user_id=ada by poison"]);
});

it("a failure that passes ends the retry, and what was not tried stays", async () => {
  const history = await newHistory();
  await history.setAside(recordOf(poison), "a");
  refusal = "57P01";
  await expect(history.retrySetAside()).rejects.toMatchObject({ code: "57P01", failure: "passing" });
  refusal = undefined;
  expect(await history.listSetAside()).toHaveLength(1);
  expect(await history.retrySetAside()).toMatchObject({ recorded: 1 });
});

it("what another process has recorded meanwhile, or is not for the history, is set aside no more", async () => {
  const history = await newHistory();
  const refused = eventOf({ id: "refused", at: 1_000, session: "s", country: "DE" });
  refused.status = "UNAUTHENTICATED";
  await history.setAside(recordOf(poison), "a");
  await history.setAside(recordOf(refused), "b");
  await history.record(poison);
  expect(await history.retrySetAside()).toMatchObject({ recorded: 2, kept: 0 });
  expect(history.stats()).toMatchObject({ recorded: 1, duplicates: 1, notRecorded: { not_accepted: 1 } });
});

it("pages hold all of it, in its order", async () => {
  const history = await newHistory();
  for (let number = 0; number < 11; number += 1) {
    await history.setAside(recordOf(eventOf({ id: `e${number}`, at: number, country: "DE" })), `r${number}`);
  }
  const all = await history.listSetAside();
  expect(reasons(all)).toEqual(Array.from({ length: 11 }, (_, number) => `r${number}`));
  const paged: SetAsideRecord[] = [];
  for (let page = await history.listSetAside({ limit: 4 }); page.length > 0; ) {
    paged.push(...page);
    page = await history.listSetAside({ limit: 4, after: page.at(-1)?.cursor });
  }
  expect(paged).toEqual(all);
  const first = await history.retrySetAside({ limit: 4 });
  expect(first).toMatchObject({ recorded: 4, cursor: all[3]?.cursor });
  expect(reasons(await history.listSetAside({ limit: 1 }))).toEqual(["r4"]);
  expect(await history.retrySetAside({ limit: 100, after: all[9]?.cursor })).toMatchObject({ recorded: 1 });
});

it.each([
  [{ limit: 0 }, "limit must be a whole number of records from 1 to 10000, got 0"],
  [{ after: "x" }, 'after must be the cursor of a record, got "x"'],
])("refuses the page %j", async (page, message) => {
  const history = createSignalHistory({ database, log: false });
  expect((await rejectionOf(history.listSetAside(page))).message).toBe(message);
  expect((await rejectionOf(history.retrySetAside(page))).message).toBe(message);
});

describe("a record of which it is not known whose it is, or that is too large,", () => {
  const nobody = eventOf({ id: "nobody", at: 1, country: "DE" });
  nobody.encodedSessionContext = "not a context";
  const huge = eventOf({ id: "huge", at: 1, country: "DE" });
  huge.attributes = { note: "x".repeat(1_048_576) };

  it.each([
    ["undecodable", { ...recordOf(poison), value: Buffer.from("not an event") }, undefined],
    ["without a value", { ...recordOf(poison), value: undefined }, undefined],
    ["without a session", recordOf(nobody), "nobody"],
    ["too large", recordOf(huge), "huge"],
  ])("is set aside without its bytes: %s", async (reason, given, eventId) => {
    const history = await newHistory();
    await history.setAside(given, reason);
    expect(await history.listSetAside()).toMatchObject([{ eventId, reason, retryable: false, offset: given.offset }]);
    expect(await history.retrySetAside()).toMatchObject({ recorded: 0, kept: 1 });
    const { rows } = await embedded.query(`select record from aside_${schemas}.set_aside`);
    expect(rows).toEqual([{ record: null }]);
  });
});

describe("forget", () => {
  it.each([{ userId: "ada" }, { sessionId: "s" }])("reaches what was set aside: %j", async (request) => {
    const history = await newHistory();
    await history.setAside(recordOf(poison), "before");
    const bob = eventOf({ id: "bob", at: 1, session: "other", user: "bob", country: "DE" });
    await history.setAside(recordOf(bob), "of bob");
    expect(await history.forget(request)).toEqual({ sessions: 1, changes: 0 });
    expect(reasons(await history.listSetAside())).toEqual(["of bob"]);
    // Nor does it come back.
    await history.setAside(recordOf(poison), "after");
    expect(reasons(await history.listSetAside())).toEqual(["of bob"]);
    expect(history.stats()).toMatchObject({ setAside: 2, forgotten: 1 });
    const { rows } = await embedded.query(`select user_id from aside_${schemas}.session_user`);
    expect(rows).toEqual([{ user_id: "bob" }]);
  });

  it("reaches a session that only a record set aside says to be the user's", async () => {
    const history = await newHistory();
    await history.record(eventOf({ id: "nameless", at: 1, session: "s", country: "FR" }));
    await history.setAside(recordOf(poison), "a");
    expect(await history.forget({ userId: "ada" })).toEqual({ sessions: 1, changes: 1 });
    expect(await linesOf(history, "s")).toEqual([]);
  });
});

describe("what was set aside is bounded", () => {
  /** What is kept now, as the history counts it and as it is. */
  async function bytesKept(): Promise<{ counted: number; found: number }> {
    const schema = `aside_${schemas}`;
    const { rows } = await embedded.query(`select s.set_aside_bytes::text as counted,
      (select coalesce(sum(${schema}.set_aside_size(a)), 0)::text from ${schema}.set_aside a) as found from ${schema}.state s`);
    const [{ counted, found }] = rows as [{ counted: string; found: string }];
    return { counted: Number(counted), found: Number(found) };
  }

  const numbered = (number: number): RecordToSetAside =>
    recordOf(eventOf({ id: `e${number}`, at: number, session: `s${number}`, user: "ada", country: "DE" }));

  it("a full table keeps what it has, and what comes next is refused, counted and told", async () => {
    const log = recordingLogger();
    const history = await newHistory({ maxSetAsideBytes: 5_000, log });
    const given = Array.from({ length: 40 }, (_, number) => numbered(number));
    const outcomes: SetAsideOutcome[] = [];
    for (const one of given) outcomes.push(await history.setAside(one, "r"));
    const kept = outcomes.indexOf("full");
    expect(kept).toBeGreaterThan(5);
    expect(outcomes).toEqual(outcomes.map((_, number) => (number < kept ? "set_aside" : "full")));
    expect(history.stats()).toMatchObject({ setAside: kept, setAsideFull: 40 - kept });
    expect((await history.listSetAside()).map(({ eventId }) => eventId)).toEqual(
      Array.from({ length: kept }, (_, number) => `e${number}`),
    );
    const { topic, partition, offset } = given[kept]!;
    expect(log.lines).toMatchObject([
      { level: "error", details: { kind: "set_aside_full", topic, partition, offset, reason: "r" } },
    ]);
    const { counted, found } = await bytesKept();
    expect(counted).toBe(found);
    expect(counted).toBeGreaterThanOrEqual(5_000);
    expect(counted).toBeLessThan(5_500);
    // What is there stays there once, full or not.
    expect(await history.setAside(given[0]!, "again")).toBe("duplicate");
  });

  it.each([
    ["retrySetAside", (history: SignalHistory) => history.retrySetAside({ limit: 3 })],
    ["forget", (history: SignalHistory) => history.forget({ sessionId: "s2" })],
    ["a delete by hand", () => embedded.query(`delete from aside_${schemas}.set_aside`)],
  ])("%s makes room", async (_name, makeRoom) => {
    const history = await newHistory({ maxSetAsideBytes: 2_000 });
    let number = 0;
    for (; (await history.setAside(numbered(number), "r")) === "set_aside"; number += 1);
    await makeRoom(history);
    const { counted, found } = await bytesKept();
    expect(counted).toBe(found);
    expect(counted).toBeLessThan(2_000);
    expect(await history.setAside(numbered(number), "r")).toBe("set_aside");
  });

  it("with a bound of 0 nothing is kept", async () => {
    const history = await newHistory({ maxSetAsideBytes: 0 });
    expect(await history.setAside(numbered(1), "r")).toBe("full");
    const { rows } = await embedded.query(`select * from aside_${schemas}.session_user`);
    expect(rows).toEqual([]);
  });

  it("what version 3 of the schema has set aside counts, and what its processes set aside after it", async () => {
    await newHistory();
    const schema = `aside_${schemas}_of_3`;
    await embedded.query(migrateStatement(schema, 3));
    const oldSetAside = (number: number) =>
      embedded.query(`select * from ${schema}.set_aside_record($1::text::jsonb, $2, null)`, [
        JSON.stringify({ topic: "t", partition: 0, record_offset: number, event_id: "e", reason: "r" }),
        [],
      ]);
    await oldSetAside(1);
    const history = createSignalHistory({ database, schema, maxSetAsideBytes: 300, log: false });
    await history.migrate();
    const counted = async (): Promise<unknown> =>
      (await embedded.query(`select set_aside_bytes::int as bytes from ${schema}.state`)).rows;
    expect(await counted()).toEqual([{ bytes: 203 }]);
    await oldSetAside(2);
    expect(await counted()).toEqual([{ bytes: 406 }]);
    expect(await history.setAside(numbered(3), "r")).toBe("full");
  });
});

it("setting aside takes whatever there is, and keeps it within bounds", { timeout: 120_000 }, async () => {
  const history = await newHistory();
  const text = oneof(
    string({ unit: "binary", maxLength: 40 }),
    constantFrom("", "\0", "\ud83d", `${"x".repeat(248)}😀y`, `${"x".repeat(255)}\ud83d`, "😀".repeat(1_000)),
  );
  const number = oneof(
    double(),
    constantFrom(0, -1, 0.5, 2 ** 31, 2 ** 53, 2 ** 63, Number.NaN, Number.POSITIVE_INFINITY),
  );
  const given = record({
    topic: text,
    partition: number,
    offset: number,
    value: option(oneof(uint8Array({ maxLength: 60 }), constantFrom(recordOf(poison).value!)), { nil: undefined }),
  });
  await assert(
    asyncProperty(given, text, async (one, reason) => {
      await history.setAside(one, reason);
    }),
    { numRuns: 300 },
  );
  const all = await history.listSetAside({ limit: 10_000 });
  expect(all.length).toBeGreaterThan(100);
  for (const { topic, reason } of all) {
    expect(Array.from(topic).length).toBeLessThanOrEqual(249);
    expect(Array.from(reason).length).toBeLessThanOrEqual(256);
  }
});
