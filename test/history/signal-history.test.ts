import { inspect } from "node:util";
import { create, toBinary } from "@bufbuild/protobuf";
import { sample } from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createSignalHistory,
  openSignalDatabase,
  type SignalChange,
  type SignalChangesQuery,
  type SignalHistory,
  type SignalPageQuery,
} from "../../src/history/index.js";
import { migrateStatement } from "../../src/history/schema.js";
import { encodeSessionContext, SessionActivityEventSchema, SessionContextSchema } from "../../src/index.js";
import { recordingLogger } from "../kafka/kafka-fixtures.js";
import { createRandom } from "../support/random.js";
import { refusalOf, rejectionOf } from "../support/refusal.js";
import { eventOf, recordOf, type Told } from "./history-fixtures.js";
import { type Histories, historiesOf, linesOf, naiveHistories, wrongAmong } from "./model.js";
import { oddEvents } from "./odd-events.js";
import {
  arrivalsOf,
  batchesOf,
  deliveriesOf,
  generateLongSessions,
  generateSessions,
  type Session,
} from "./sessions.js";

const database = openSignalDatabase();
let schemas = 0;
// What it takes to begin is paid once.
beforeAll(() => database.query("select 1"), 60_000);
afterAll(() => database.close());

/** A history of its own, in the one embedded database. */
async function newHistory(options: Parameters<typeof createSignalHistory>[0] = {}): Promise<SignalHistory> {
  schemas += 1;
  const history = createSignalHistory({ database, schema: `history_${schemas}`, log: false, ...options });
  await history.migrate();
  return history;
}

const tombstoneKey = "a key of at least 16 bytes";
const hour = 3_600_000;
/** Ten o'clock. */
const ten = Date.UTC(2026, 0, 5, 10);

describe("a session's history", () => {
  it("takes options that are undefined as ones that are not given", async () => {
    const history = await newHistory({ signals: undefined, accept: undefined, normalize: undefined });
    await history.record(eventOf({ id: "a", at: ten, country: "de", device: "phone" }));
    expect(await linesOf(history, "session-1")).toEqual(["country=DE by a", "device_id=phone by a"]);
  });

  it("has one row for each change, with the activity that triggered it and the value before", async () => {
    const history = await newHistory();
    await history.recordBatch([
      eventOf({ id: "a", at: ten, country: "DE", device: "phone" }),
      eventOf({ id: "b", at: ten + 1, country: "DE", device: "phone" }),
      eventOf({ id: "c", at: ten + 2, country: "FR", device: "phone" }),
    ]);
    expect(await linesOf(history, "session-1")).toEqual(["country=DE by a", "device_id=phone by a", "country=FR by c"]);
    const [change] = await history.triggeredBy("c");
    expect(change).toMatchObject({
      sessionId: "session-1",
      signal: "country",
      value: "FR",
      previousValue: "DE",
      startedAt: new Date(ten + 2),
      completedAt: new Date(ten + 7),
      service: "account-service",
      action: "action-c",
      procedure: "/example.account.v1.AccountService/Login",
      status: "OK",
      statusInferred: false,
      verified: false,
    });
    expect((await history.current("session-1")).map(({ signal, value }) => [signal, value])).toEqual([
      ["country", "FR"],
      ["device_id", "phone"],
    ]);
    expect(history.stats()).toMatchObject({ recorded: 3, changed: 3, duplicates: 0 });
  });

  it("is ordered by when the context was made: a long stream that ends after a later login does not undo it", async () => {
    const stream: Told = { id: "stream", at: ten, until: ten + 2 * hour, country: "DE" };
    const login: Told = { id: "login", at: ten + hour, country: "FR" };
    const history = await newHistory();
    await history.record(eventOf(login));
    await history.record(eventOf(stream));
    expect(await linesOf(history, "session-1")).toEqual(["country=DE by stream", "country=FR by login"]);
    expect((await history.current("session-1")).map(({ value }) => value)).toEqual(["FR"]);
  });

  it("takes the absence of a signal for no observation, not for a change to nothing", async () => {
    const history = await newHistory();
    await history.recordBatch([
      eventOf({ id: "a", at: ten, country: "DE", device: "phone" }),
      eventOf({ id: "b", at: ten + 1, device: "phone" }),
      eventOf({ id: "c", at: ten + 2, country: "DE" }),
    ]);
    expect(await linesOf(history, "session-1")).toEqual(["country=DE by a", "device_id=phone by a"]);
  });

  it("moves a change to an earlier activity that said the same, and back in between", async () => {
    const history = await newHistory();
    await history.record(eventOf({ id: "c", at: ten + 2, country: "DE" }));
    expect(await linesOf(history, "session-1")).toEqual(["country=DE by c"]);
    await history.record(eventOf({ id: "a", at: ten, country: "DE" }));
    expect(await linesOf(history, "session-1")).toEqual(["country=DE by a"]);
    await history.record(eventOf({ id: "b", at: ten + 1, country: "FR" }));
    expect(await linesOf(history, "session-1")).toEqual(["country=DE by a", "country=FR by b", "country=DE by c"]);
  });

  it("tells moments apart to the microsecond, then ids byte by byte", async () => {
    const history = await newHistory();
    const at = (id: string, nanos: number, country: string) => {
      const event = eventOf({ id, at: ten, country });
      if (event.startedAt) event.startedAt.nanos = nanos;
      return event;
    };
    await history.recordBatch([at("a", 2_000, "FR"), at("z", 1_000, "DE"), at("b", 2_000, "IT"), at("C", 2_000, "ES")]);
    expect(await linesOf(history, "session-1")).toEqual([
      "country=DE by z",
      "country=ES by C",
      "country=FR by a",
      "country=IT by b",
    ]);
  });

  it("records an event once, however often it comes", async () => {
    const history = await newHistory();
    const event = eventOf({ id: "a", at: ten, country: "DE" });
    await history.recordBatch([event, event]);
    await history.record(event);
    expect(await linesOf(history, "session-1")).toEqual(["country=DE by a"]);
    expect(history.stats()).toMatchObject({ recorded: 1, duplicates: 2 });
  });
});

describe("in any order", () => {
  /** Values that come back, an absent one, and two events of the same moment. */
  const patterns: readonly (readonly Omit<Told, "id">[])[] = [
    [
      { at: 1, country: "DE", device: "phone" },
      { at: 2, country: "FR" },
      { at: 3, country: "DE", device: "phone" },
      { at: 3, country: "DE", device: "laptop" },
      { at: 4, device: "phone" },
      { at: 5, country: "IT" },
      { at: 6, country: "DE", device: "phone" },
    ],
    [
      { at: 1, country: "DE" },
      { at: 1, country: "FR" },
      { at: 1, country: "DE" },
      { at: 2, country: "DE" },
      { at: 2, country: "FR" },
      { at: 3, country: "DE" },
    ],
  ];

  it("every permutation of up to 7 events ends in the same history", { timeout: 180_000 }, async () => {
    const history = await newHistory();
    const sessions: Session[] = [];
    for (const [index, pattern] of patterns.entries()) {
      for (let length = 1; length <= pattern.length; length += 1) {
        for (const order of permutationsOf(length)) {
          const id = `${index}-${order.join("")}`;
          const happened = order.map((place) => ({ ...pattern[place]!, id: `${id}-${place}`, session: id }));
          sessions.push({ id, happened });
        }
      }
    }
    expect(sessions.length).toBe(5_913 + 873);
    // The first event of all sessions, then the second of all …: each session sees its events one at a time.
    for (let round = 0; round < 7; round += 1) {
      await history.recordBatch(sessions.flatMap(({ happened }) => happened.slice(round, round + 1).map(eventOf)));
    }
    expect(wrongAmong(sessions, await historiesIn(history))).toEqual([]);
  });

  it("random sessions with duplicates and late deliveries are as the model says", { timeout: 120_000 }, async () => {
    const history = await newHistory();
    const random = createRandom(7);
    const sessions = generateSessions(random, "random", 1_500);
    const batches = deliveriesOf(sessions, random, 1_500);
    for (const batch of batches) await history.recordBatch(batch.map(eventOf));
    expect(wrongAmong(sessions, await historiesIn(history))).toEqual([]);
    // The same sessions find out whoever compares with the latest row.
    expect(wrongAmong(sessions, naiveHistories(batches.flat())).length).toBeGreaterThan(sessions.length / 2);
  });
});

describe("what is taken", () => {
  const failed = eventOf({ id: "failed", at: ten, country: "RU" });
  failed.status = "UNAUTHENTICATED";
  const interrupted = eventOf({ id: "interrupted", at: ten, country: "RU" });
  interrupted.interrupted = true;
  const verified = eventOf({ id: "verified", at: ten, country: "DE" });
  verified.contextVerified = true;
  const plain = eventOf({ id: "plain", at: ten + 1, country: "FR" });

  it("is calls that ended with OK, by default: a failed login changes nobody's country", async () => {
    const history = await newHistory();
    await history.recordBatch([failed, interrupted, verified, plain]);
    expect(await linesOf(history, "session-1")).toEqual(["country=DE by verified", "country=FR by plain"]);
    expect(history.stats().notRecorded).toEqual({ not_accepted: 2 });
  });

  it("is verified ones only, with requireVerified, whatever accept says", async () => {
    const history = await newHistory({ requireVerified: true, accept: () => true });
    await history.recordBatch([failed, verified, plain]);
    expect(await linesOf(history, "session-1")).toEqual(["country=DE by verified"]);
    const [change] = await history.history("session-1");
    expect(change?.verified).toBe(true);
  });

  it("is what accept says; rows keep the status", async () => {
    const history = await newHistory({ accept: ({ status }) => status === "UNAUTHENTICATED" });
    await history.recordBatch([failed, plain]);
    const [change] = await history.history("session-1");
    expect(change).toMatchObject({ eventId: "failed", status: "UNAUTHENTICATED" });
  });

  it("leaves out, counts and reports what it cannot use, and nothing else is lost by it", async () => {
    const lines: string[] = [];
    const say = (details: object, message: string): void => void lines.push(`${message} ${JSON.stringify(details)}`);
    const history = await newHistory({ log: { debug: say, info: say, warn: say, error: say } });
    const noTime = eventOf({ id: "no-time", at: ten, country: "DE" });
    noTime.startedAt = undefined;
    const garbage = eventOf({ id: "garbage", at: ten });
    garbage.encodedSessionContext = "not base64 secret!";
    const anonymous = eventOf({ id: "anonymous", at: ten });
    anonymous.encodedSessionContext = encodeSessionContext({ country: "DE" });
    const empty = create(SessionActivityEventSchema, { eventId: "empty", status: "OK" });
    const silent = eventOf({ id: "silent", at: ten });
    const nameless = eventOf({ id: "", at: ten, country: "DE" });
    const far = eventOf({ id: "far", at: ten, country: "DE" });
    if (far.startedAt) far.startedAt.seconds = 10n ** 15n;
    await history.recordBatch([noTime, garbage, anonymous, empty, silent, nameless, far, plain]);
    expect(await linesOf(history, "session-1")).toEqual(["country=FR by plain"]);
    expect(history.stats().notRecorded).toEqual({ invalid: 3, error: 1, no_session: 2, no_signals: 1 });
    expect(lines).toHaveLength(2);
    expect(lines.join()).not.toContain("secret");
  });

  it("is the user's own signals, normalized by the user's own rule, also from a promise", async () => {
    const history = await newHistory({
      signals: (event) =>
        Promise.resolve({ sessionId: event.attributes["sid"] ?? "", signals: { Plan: event.attributes["plan"] } }),
      normalize: (_, value) => value.toLowerCase(),
    });
    for (const [id, plan] of [
      ["1", "PRO"],
      ["2", "pro"],
      ["3", "free"],
    ] as const) {
      const event = eventOf({ id, at: ten + Number(id) });
      event.attributes = { sid: "own", plan };
      await history.record(event);
    }
    expect(await linesOf(history, "own")).toEqual(["Plan=pro by 1", "Plan=free by 3"]);
  });

  it("holds what is as long as allowed, in characters of four bytes, and the first of more signals than that", async () => {
    // Nothing that repeats, and so could be made shorter.
    const long = (length: number, seed: number): string =>
      Array.from({ length }, (_, n) => String.fromCodePoint(0x20000 + ((n * 7_919 + seed * 104_729) % 40_000))).join(
        "",
      );
    const signals = Object.fromEntries(Array.from({ length: 64 }, (_, n) => [long(128, n), long(1_024, n)]));
    const history = await newHistory({
      signals: () => ({ sessionId: long(256, 1), userId: long(256, 2), signals }),
    });
    const id = long(256, 3);
    await history.record(eventOf({ id, at: ten }));
    const changes = await history.triggeredBy(id);
    expect(changes).toHaveLength(64);
    expect(changes).toMatchObject(changes.map(({ signal }) => ({ sessionId: long(256, 1), value: signals[signal] })));
    signals["one more"] = "x";
    await history.record(eventOf({ id: "one-more", at: ten + 1 }));
    expect(history.stats()).toMatchObject({ recorded: 2, changed: 64, leftOut: 1, notRecorded: {} });
  });

  it.each([
    ["too long", "s".repeat(257)],
    ["too long at its last character", `${"s".repeat(256)}😀`],
    ["with NUL", "a\0b"],
    ["of half a pair", "\ud83d"],
    ["very long, of pairs", "💾".repeat(10_000)],
  ])("takes any text as an id or a name, tells it from others, and finds it again: %s", async (_, text) => {
    const history = await newHistory({
      tombstoneKey,
      signals: ({ eventId }) => ({
        sessionId: text,
        userId: text,
        signals: { [text]: `${eventId.length}`, [`${text}!`]: "x" },
      }),
    });
    const other = `${text}?`;
    await history.record(eventOf({ id: text, at: ten }));
    await history.record(eventOf({ id: other, at: ten + 1 }));
    await history.record(eventOf({ id: other, at: ten + 1 }));
    expect(history.stats()).toMatchObject({ recorded: 2, duplicates: 1, notRecorded: {} });
    const changes = await history.history(text);
    expect(changes).toHaveLength(3);
    const [{ sessionId, signal, eventId }] = (await history.changes({ signal: text })) as [SignalChange, SignalChange];
    expect(await history.history(sessionId)).toEqual(changes);
    expect(await history.history(other)).toEqual([]);
    expect(await history.triggeredBy(other)).toEqual(changes.slice(2));
    expect(await history.triggeredBy(eventId)).toHaveLength(2);
    expect(await history.changes({ signal })).toEqual(await history.changes({ signal: text }));
    for (const id of [sessionId, eventId]) expect(Array.from(id).length).toBeLessThanOrEqual(256);
    expect(Array.from(signal).length).toBeLessThanOrEqual(128);
    expect(await history.forget({ userId: text })).toEqual({ sessions: 1, changes: 3 });
    await history.record(eventOf({ id: text, at: ten }));
    expect(history.stats().forgotten).toBe(1);
  });

  it.each([
    [`${"a".repeat(1_023)}😀`, `${"a".repeat(1_023)}😀`],
    [`${"a".repeat(1_024)}😀`, "a".repeat(1_024)],
    [`${"a".repeat(1_022)}😀😀😀`, `${"a".repeat(1_022)}😀😀`],
    ["😀".repeat(5_000), "😀".repeat(1_024)],
    [`${"a".repeat(1_023)}\ud83dx`, `${"a".repeat(1_023)}\ufffd`],
    [`${"a".repeat(1_022)}\ud83d\ud83d\ude00`, `${"a".repeat(1_022)}\ufffd😀`],
    ["\0".repeat(2_000), "\ufffd".repeat(1_024)],
  ])("cuts a text to 1,024 whole characters, case %#", async (value, expected) => {
    const history = await newHistory({ signals: () => ({ sessionId: "cut", signals: { value } }) });
    const event = eventOf({ id: "cut", at: ten });
    Object.assign(event, { service: value, action: value, procedure: value });
    expect(await history.record(event)).toMatchObject([
      { value: expected, service: expected, action: expected, procedure: expected },
    ]);
  });

  it("is events of any times, numbers and texts: recorded, set aside or counted, and never a rejection", {
    timeout: 120_000,
  }, async () => {
    const history = await newHistory({ accept: () => true });
    const batch = sample(oddEvents, { seed: 1, numRuns: 2_000 });
    await history.recordBatch(batch.map(({ event }) => event));
    const { recorded, duplicates, late, notRecorded } = history.stats();
    const counts = [recorded, duplicates, ...Object.values(late), ...Object.values(notRecorded)];
    expect(counts.reduce((sum, one) => sum + one, 0)).toBe(batch.length);
    // What has an id, a session, signals and a time in this millennium is there.
    const good = batch.filter(({ isGood }) => isGood);
    expect(good.length).toBeGreaterThan(300);
    for (const { event } of good) {
      expect(await history.record(event)).toEqual(await history.triggeredBy(event.eventId));
    }
    expect(history.stats().recorded).toBe(recorded);
  });

  it("counts events that say a signal twice, with different values, and takes the field", async () => {
    const history = await newHistory();
    const event = eventOf({ id: "twice", at: ten });
    const context = create(SessionContextSchema, {
      sessionId: "s",
      country: "DE",
      signals: { country: "XX", plan: "pro" },
    });
    event.encodedSessionContext = Buffer.from(toBinary(SessionContextSchema, context)).toString("base64");
    await history.record(event);
    expect(await linesOf(history, "s")).toEqual(["country=DE by twice", "plan=pro by twice"]);
    expect(history.stats()).toMatchObject({ recorded: 1, ambiguous: 1 });
  });

  it("keeps whether the status is inferred, and shows it where it shows the status", async () => {
    const history = await newHistory({ accept: () => true });
    const inferred = eventOf({ id: "inferred", at: ten, country: "DE" });
    Object.assign(inferred, { status: "CANCELLED", statusInferred: true });
    const sure = eventOf({ id: "sure", at: ten + 1, country: "FR" });
    const told = await history.recordBatch([inferred, sure]);
    expect(told.map(({ statusInferred }) => statusInferred)).toEqual([true, false]);
    expect(await history.recordBatch([inferred, sure])).toEqual(told);
    expect(await history.history("session-1")).toEqual(told);
    expect(await history.changes()).toEqual(told);
    expect(await history.triggeredBy("inferred")).toEqual(told.slice(0, 1));
    expect(await history.current("session-1")).toEqual(told.slice(1));
    const { rows } = await database.query(
      `select event_id, status_inferred from history_${schemas}.change order by started_at`,
    );
    expect(rows).toEqual([
      { event_id: "inferred", status_inferred: true },
      { event_id: "sure", status_inferred: false },
    ]);
  });

  it("survives NUL and half surrogate pairs, which PostgreSQL cannot hold", async () => {
    const history = await newHistory({
      signals: () => ({ sessionId: "odd", signals: { a: "x\0y", b: "\ud800", c: "long".repeat(1_000) } }),
    });
    await history.record(eventOf({ id: "odd", at: ten }));
    const [a, b, c] = await history.history("odd");
    expect([a?.value, b?.value, c?.value.length]).toEqual(["x\ufffdy", "\ufffd", 1_024]);
  });
});

describe("compact", () => {
  const day = 24 * hour;

  it("removes what is no change and older than the horizon, by the time of events, and keeps the history", async () => {
    const history = await newHistory({ latenessMs: hour });
    const told: Told[] = [
      { id: "a", at: ten, country: "DE" },
      { id: "b", at: ten + 1_000, country: "DE" },
      { id: "c", at: ten + 2_000, country: "DE" },
      { id: "d", at: ten + 3_000, country: "FR" },
      { id: "e", at: ten + 2 * hour, country: "FR" },
      { id: "f", at: ten + 2 * hour + 1, country: "FR" },
    ];
    await history.recordBatch(told.map(eventOf));
    const before = await linesOf(history, "session-1");
    expect(await history.compact()).toBe(2);
    expect(await history.compact()).toBe(0);
    expect(await linesOf(history, "session-1")).toEqual(before);
    // A replay of everything finds everything known.
    await history.recordBatch(told.map(eventOf));
    expect(history.stats()).toMatchObject({ recorded: 6, duplicates: 6, late: {} });
    expect(await linesOf(history, "session-1")).toEqual(before);
  });

  it("sets aside what comes later, counted, with its reason: never silently into the history", async () => {
    const history = await newHistory({ latenessMs: hour });
    await history.recordBatch(
      [
        { id: "a", at: ten, country: "DE" },
        { id: "b", at: ten + hour, country: "DE" },
        { id: "z", at: ten + day, country: "DE" },
      ].map(eventOf),
    );
    await history.compact();
    const late = eventOf({ id: "late", at: ten + 1_000, country: "FR" });
    await history.recordBatch([late, late]);
    await history.record(late);
    expect(history.stats()).toMatchObject({ late: { late: 1 }, duplicates: 2 });
    expect(await linesOf(history, "session-1")).toEqual(["country=DE by a"]);
    const { rows } = await database.query(`select event_id, reason, signals from history_${schemas}.late_activity`);
    expect(rows).toEqual([{ event_id: "late", reason: "late", signals: { country: "FR" } }]);
  });

  it("keeps what comes later up to a bound, and counts the rest: nobody fills the disk by a replay", async () => {
    const log = recordingLogger();
    const history = await newHistory({ latenessMs: hour, maxSetAsideBytes: 3_000, log });
    await history.recordBatch(
      [
        { id: "a", at: ten, country: "DE" },
        { id: "z", at: ten + day, country: "DE" },
      ].map(eventOf),
    );
    await history.compact();
    const late = Array.from({ length: 40 }, (_, number) =>
      eventOf({ id: `late-${number}`, at: ten + number + 1, session: `s${number}`, user: `u${number}`, country: "FR" }),
    );
    for (const one of late) await history.record(one);
    const schema = `history_${schemas}`;
    const kept = async (): Promise<number> =>
      (await database.query(`select event_id from ${schema}.late_activity`)).rows.length;
    const bytes = async (): Promise<number> => {
      const { rows } = await database.query(`select late_bytes::int as bytes from ${schema}.state`);
      return (rows[0] as { bytes: number }).bytes;
    };
    const before = await kept();
    expect(before).toBeGreaterThan(3);
    expect(before).toBeLessThan(10);
    expect(await bytes()).toBeGreaterThanOrEqual(3_000);
    expect(await bytes()).toBeLessThan(3_600);
    expect(history.stats()).toMatchObject({ recorded: 2, late: { late: 40 }, lateFull: 40 - before });
    expect(log.lines.filter(({ details }) => "kind" in details && details.kind === "late_full")).toMatchObject([
      { level: "error", details: { events: 1 } },
    ]);
    // Nothing at all is left of those.
    const { rows } = await database.query(`select user_id from ${schema}.session_user where user_id like 'u%'`);
    expect(rows).toHaveLength(before);
    // The first is known, and one that was not kept comes again.
    await history.record(late[0]!);
    expect(history.stats()).toMatchObject({ duplicates: 1, late: { late: 40 } });
    await database.query(`delete from ${schema}.late_activity`);
    expect(await bytes()).toBe(0);
    await history.recordBatch(late.slice(-2));
    expect(await kept()).toBe(2);
    expect(history.stats().lateFull).toBe(40 - before);
  });

  it("goes by completion: a long stream is not late, and stands where it began", async () => {
    const history = await newHistory({ latenessMs: hour });
    await history.recordBatch(
      [
        { id: "a", at: ten, country: "DE" },
        { id: "b", at: ten + hour, country: "FR" },
        { id: "z", at: ten + 5 * hour, country: "FR" },
      ].map(eventOf),
    );
    await history.compact();
    await history.record(eventOf({ id: "stream", at: ten + 1_000, until: ten + 5 * hour, country: "IT" }));
    expect(await linesOf(history, "session-1")).toEqual(["country=DE by a", "country=IT by stream", "country=FR by b"]);
    expect(history.stats().late).toEqual({});
  });

  it("sets a long stream aside where it contradicts what was compacted, since nobody knows what followed it", async () => {
    const history = await newHistory({ latenessMs: hour });
    await history.recordBatch(
      [
        { id: "a", at: ten, country: "DE" },
        { id: "b", at: ten + 500, country: "DE" },
        { id: "c", at: ten + hour, country: "DE" },
        { id: "z", at: ten + 5 * hour, country: "DE" },
      ].map(eventOf),
    );
    await history.compact();
    await history.record(eventOf({ id: "same", at: ten + 1_000, until: ten + 5 * hour, country: "DE" }));
    await history.record(
      eventOf({ id: "other", at: ten + 1_000, until: ten + 5 * hour, country: "IT", device: "phone" }),
    );
    expect(history.stats()).toMatchObject({ duplicates: 1, late: { conflicting: 1 } });
    // As a whole: its device is not recorded either.
    expect(await linesOf(history, "session-1")).toEqual(["country=DE by a"]);
  });

  it("still knows what was compacted, after an activity in it that said the same and something new", async () => {
    const history = await newHistory({ latenessMs: hour });
    await history.recordBatch(
      [
        { id: "a", at: ten, country: "DE" },
        { id: "b", at: ten + hour, country: "DE" },
        { id: "z", at: ten + 5 * hour, country: "DE" },
      ].map(eventOf),
    );
    await history.compact();
    await history.record(
      eventOf({ id: "new", at: ten + 1_000, until: ten + 5 * hour, country: "DE", device: "phone" }),
    );
    await history.record(eventOf({ id: "other", at: ten + 2_000, until: ten + 5 * hour, country: "IT" }));
    expect(await linesOf(history, "session-1")).toEqual(["country=DE by a", "device_id=phone by new"]);
    expect(history.stats().late).toEqual({ conflicting: 1 });
  });

  it("does not let a clock that is days ahead close the time of the others", async () => {
    const history = await newHistory({ latenessMs: hour });
    await history.record(eventOf({ id: "ahead", at: Date.now() + 3 * day, country: "FR" }));
    expect(history.stats().late).toEqual({ ahead: 1 });
    const now = Date.now();
    await history.record(eventOf({ id: "hours-ahead", at: now + 20 * hour, country: "FR" }));
    await history.record(eventOf({ id: "old", at: now - 2 * hour, country: "DE" }));
    await history.record(eventOf({ id: "now", at: now, country: "DE" }));
    await history.compact();
    await history.record(eventOf({ id: "recent", at: now - hour / 2, country: "IT" }));
    expect(history.stats().late).toEqual({ ahead: 1 });
  });

  it("in many small steps, with events of the same moment, is as without", { timeout: 120_000 }, async () => {
    const history = await newHistory({ latenessMs: 60_000 });
    const random = createRandom(3);
    const sessions = generateLongSessions(random, 50);
    let steps = 0;
    for (const batch of batchesOf(arrivalsOf(sessions, random), random, 100)) {
      await history.recordBatch(batch.map(eventOf));
      if ((await history.compact()) > 0) steps += 1;
    }
    expect(steps).toBeGreaterThan(30);
    expect(wrongAmong(sessions, await historiesIn(history))).toEqual([]);
    // Replayed from the beginning, in any order, nothing changes.
    for (const batch of deliveriesOf(sessions, random)) await history.recordBatch(batch.map(eventOf));
    expect(wrongAmong(sessions, await historiesIn(history))).toEqual([]);
    expect(history.stats().late).toEqual({});
  });
});

describe("forget", () => {
  const told: Told[] = [
    { id: "a", at: ten, session: "ada-1", user: "ada", country: "DE" },
    { id: "b", at: ten + 1, session: "ada-2", user: "ada", country: "DE" },
    { id: "c", at: ten + 2, session: "ada-2", country: "FR" },
    { id: "d", at: ten + 3, session: "bob-1", user: "bob", country: "DE" },
  ];

  it("erases a user's sessions, and a replay of the topic does not bring them back", async () => {
    const history = await newHistory({ tombstoneKey });
    await history.recordBatch(told.map(eventOf));
    expect(await history.forget({ userId: "ada" })).toEqual({ sessions: 2, changes: 5 });
    await history.recordBatch(told.map(eventOf));
    // Also in a session that is new, and the one that did not name the user.
    await history.record(eventOf({ id: "e", at: ten + 4, session: "ada-3", user: "ada", country: "DE" }));
    expect(history.stats()).toMatchObject({ forgotten: 4, duplicates: 1 });
    for (const session of ["ada-1", "ada-2", "ada-3"]) expect(await linesOf(history, session)).toEqual([]);
    expect(await linesOf(history, "bob-1")).toEqual(["country=DE by d", "user_id=bob by d"]);
  });

  it("leaves nothing of them in any table, but hashes with a key that is not there", async () => {
    const history = await newHistory({ tombstoneKey, latenessMs: hour });
    await history.recordBatch([...told.map(eventOf), eventOf({ id: "z", at: ten + 9 * hour, country: "DE" })]);
    await history.compact();
    await history.record(eventOf({ id: "late", at: ten - 1, session: "ada-1", user: "ada", country: "FR" }));
    expect(history.stats().late).toEqual({ late: 1 });
    await history.forget({ userId: "ada" });
    const schema = `history_${schemas}`;
    const { rows: tables } = await database.query(
      "select table_name from information_schema.tables where table_schema = $1 and table_type = 'BASE TABLE'",
      [schema],
    );
    expect(tables.length).toBeGreaterThan(5);
    for (const { table_name } of tables as { table_name: string }[]) {
      const { rows } = await database.query(`select t::text as line from ${schema}.${table_name} t`);
      const text = JSON.stringify(rows);
      expect(text).not.toContain("ada");
      expect(text).not.toContain(tombstoneKey);
    }
  });

  it("erases one session", async () => {
    const history = await newHistory({ tombstoneKey });
    await history.recordBatch(told.map(eventOf));
    expect(await history.forget({ sessionId: "ada-2" })).toEqual({ sessions: 1, changes: 3 });
    await history.recordBatch(told.map(eventOf));
    expect(await linesOf(history, "ada-2")).toEqual([]);
    expect(await linesOf(history, "ada-1")).toEqual(["country=DE by a", "user_id=ada by a"]);
  });

  it("needs its key, from then on in every process", async () => {
    const history = await newHistory({ tombstoneKey });
    const schema = `history_${schemas}`;
    const without = createSignalHistory({ database, schema, log: false });
    const other = createSignalHistory({ database, schema, log: false, tombstoneKey: "another key of 16 bytes" });
    await expect(without.forget({ userId: "ada" })).rejects.toThrow(/needs the option tombstoneKey/);
    await without.recordBatch(told.slice(3).map(eventOf));
    await history.forget({ userId: "ada" });
    const event = eventOf(told[0]!);
    await expect(without.record(event)).rejects.toThrow(/needs the tombstoneKey of that time/);
    await expect(other.record(event)).rejects.toThrow(/needs the tombstoneKey of that time/);
    await expect(other.forget({ userId: "ada" })).rejects.toThrow(/another tombstoneKey/);
    await history.record(event);
    expect(history.stats().forgotten).toBe(1);
  });

  it.each([{}, { userId: "" }, { userId: 1 }, { user: "ada" }, { userId: "a", sessionId: "b" }, undefined])(
    "refuses %j",
    async (request) => {
      const history = createSignalHistory({ database, tombstoneKey });
      const refusal = await rejectionOf(history.forget(request as never));
      expect(refusal.message).toContain(
        "forget's argument must be { sessionId } or { userId }, a text that is not empty, got",
      );
      expect(refusal.code).toBe("ERR_OPTION_INVALID");
    },
  );
});

describe("pages", () => {
  it("of a session's history and of its signals hold all of it, whatever the limit", async () => {
    const history = await newHistory();
    const events = Array.from({ length: 30 }, (_, n) => {
      const event = eventOf({ id: `e${n}`, at: ten + Math.floor(n / 3) });
      const signals = { [`b${n % 7}`]: `${n}`, a: `${n % 5}`, [`é${n}`]: "x" };
      event.encodedSessionContext = encodeSessionContext({ sessionId: "s", signals });
      return event;
    });
    await history.recordBatch(events);
    const all = await history.history("s");
    expect(all).toEqual(await history.changes());
    const current = await history.current("s");
    const last = new Map(all.map((change) => [change.signal, change]));
    const bySignal = (a: SignalChange, b: SignalChange): number =>
      Buffer.compare(Buffer.from(a.signal), Buffer.from(b.signal));
    expect(current).toEqual([...last.values()].toSorted(bySignal));
    for (const limit of [1, 2, 7, 100]) {
      for (const [ask, whole] of [
        [history.history, all],
        [history.current, current],
      ] as const) {
        const paged: SignalChange[] = [];
        for (let page = await ask("s", { limit }); page.length > 0; ) {
          expect(page.length).toBeLessThanOrEqual(limit);
          paged.push(...page);
          page = await ask("s", { limit, after: page.at(-1)?.cursor });
        }
        expect(paged).toEqual(whole);
      }
    }
  });

  it.each<[unknown, string]>([
    [{ limit: 10_001 }, "limit must be a whole number of changes from 1 to 10000, got 10001"],
    [{ after: "nonsense" }, 'after must be the cursor of a change, got "nonsense"'],
    [{ since: new Date(0) }, "since is not an option of"],
  ])("refuse %j", async (page, message) => {
    const history = createSignalHistory({ database, log: false });
    expect((await rejectionOf(history.history("s", page as SignalPageQuery))).message).toContain(message);
    expect((await rejectionOf(history.current("s", page as SignalPageQuery))).message).toContain(message);
  });
});

describe("changes", () => {
  let history: SignalHistory;
  beforeAll(async () => {
    history = await newHistory();
    await history.recordBatch(
      Array.from({ length: 20 }, (_, n) =>
        eventOf({
          id: `e${10 + n}`,
          at: ten + 1_000 * Math.floor(n / 4),
          session: `s${n % 3}`,
          country: `C${n}`,
          device: "d",
        }),
      ),
    );
  });

  it("finds those since a moment, of one signal", async () => {
    const found = await history.changes({ since: new Date(ten + 4_000), signal: "country" });
    expect(found.map(({ eventId }) => eventId)).toEqual(["e26", "e27", "e28", "e29"]);
  });

  it("goes on after the last one seen, page by page, and misses none", async () => {
    const all = await history.changes();
    const paged = [];
    let after: string | undefined;
    for (;;) {
      const page = await history.changes({ after, limit: 7 });
      if (page.length === 0) break;
      paged.push(...page);
      after = page.at(-1)?.cursor;
    }
    expect(all).toHaveLength(23);
    expect(paged).toEqual(all);
  });

  it.each<[unknown, string, string, string?]>([
    [{ limit: 0 }, "limit", "limit must be a whole number of changes from 1 to 10000, got 0"],
    [{ limit: "5" }, "limit", 'limit must be a whole number of changes from 1 to 10000, got "5"'],
    [{ after: "nonsense" }, "after", 'after must be the cursor of a change, got "nonsense"'],
    [{ after: '["1; drop table x","a","b"]' }, "after", "after must be the cursor of a change, got"],
    [{ since: new Date(Number.NaN) }, "since", "since must be a valid Date, got an invalid Date"],
    [{ since: "2026-01-05" }, "since", 'since must be a valid Date, got "2026-01-05"'],
    [{ since: ten }, "since", `since must be a valid Date, got ${ten}`],
    [{ since: null }, "since", "since must be a valid Date, got null"],
    [{ signal: 1 }, "signal", "signal must be a text that is not empty, got 1"],
    [{ sinse: new Date(ten) }, "sinse", "sinse is not an option of changes: did you mean since?", "UNKNOWN"],
    [null, "the argument of changes", "the argument of changes must be an object with options, got null"],
    ["country", "the argument of changes", "must be an object with options, got a text of 7 characters"],
  ])("refuses %j", async (query, option, message, code = "INVALID") => {
    const refusal = await rejectionOf(history.changes(query as SignalChangesQuery));
    expect(refusal.message).toContain(message);
    expect(refusal).toMatchObject({ option, code: `ERR_OPTION_${code}` });
  });
});

describe("what recording answers with", () => {
  const event = (number: number, more: Partial<Told> = {}): Told => ({
    id: `e${number}`,
    at: ten + number,
    country: `C${number >> 1}`,
    device: "d",
    ...more,
  });

  it("are the changes, as the queries tell them", async () => {
    const history = await newHistory();
    const [first, ...rest] = [0, 1, 2, 3].map((number) => eventOf(event(number)));
    const one = await history.record(first!);
    expect(one).toEqual(await history.triggeredBy("e0"));
    expect(one.map(({ signal }) => signal)).toEqual(["country", "device_id"]);
    const others = await history.recordBatch(rest);
    expect(others).toEqual(await history.triggeredBy("e2"));
    expect(others).toMatchObject([{ signal: "country", previousValue: "C0", value: "C1", eventId: "e2" }]);
    expect(await history.changes()).toEqual([...one, ...others]);
  });

  it("are those of all sessions by the calls' starts, whatever the order and the number of events", async () => {
    const history = await newHistory();
    const events = Array.from({ length: 1_200 }, (_, number) =>
      eventOf(
        event(number, { id: `é${String(number).padStart(5, "0")}`, session: `s${number % 7}`, country: `C${number}` }),
      ),
    );
    const changes = await history.recordBatch(events.toReversed());
    expect(changes).toHaveLength(1_207);
    expect(changes).toEqual(await history.changes({ limit: 10_000 }));
  });

  it("are those of this batch: what came before and is a change no more is not told", async () => {
    const history = await newHistory();
    await history.record(eventOf(event(2, { country: "DE" })));
    const changes = await history.record(eventOf(event(1, { country: "DE" })));
    expect(changes).toMatchObject([
      { eventId: "e1", signal: "country", value: "DE", previousValue: undefined },
      { eventId: "e1", signal: "device_id" },
    ]);
    expect(await history.triggeredBy("e2")).toEqual([]);
  });

  it("are told again to a reader that ended before it could act on them", async () => {
    const history = await newHistory();
    const events = [0, 1, 2, 3].map((number) => eventOf(event(number)));
    const changes = await history.recordBatch(events);
    expect(await history.recordBatch(events)).toEqual(changes);
    const further = [...events, eventOf(event(4, { country: "XX" }))];
    expect(await history.recordBatch(further)).toEqual([...changes, ...(await history.triggeredBy("e4"))]);
    expect(history.stats()).toMatchObject({ recorded: 5, duplicates: 8 });
  });

  it("are none for what is not recorded, set aside, forgotten, or changes nothing", async () => {
    const history = await newHistory({ tombstoneKey: "0123456789abcdef", requireVerified: true });
    expect(await history.record(eventOf(event(1)))).toEqual([]);
    expect(await history.recordBatch([])).toEqual([]);
    const taken = await newHistory({ tombstoneKey: "0123456789abcdef" });
    await taken.record(eventOf(event(1)));
    expect(await taken.record(eventOf(event(2, { country: "C0" })))).toEqual([]);
    expect(await taken.record(eventOf(event(3, { at: Date.now() + 48 * hour })))).toEqual([]);
    await taken.forget({ sessionId: "session-1" });
    expect(await taken.record(eventOf(event(5)))).toEqual([]);
  });
});

it("keeps what is 40 days late, which is longer than timers and small numbers go", async () => {
  const day = 24 * hour;
  const history = await newHistory({ latenessMs: 40 * day });
  const events = Array.from({ length: 42 }, (_, number) =>
    eventOf({ id: `e${10 + number}`, at: ten + number * day, country: "DE" }),
  );
  await history.recordBatch(events);
  // Of the first two, one is the change, and stays.
  expect(await history.compact()).toBe(1);
  await history.recordBatch([
    eventOf({ id: "later", at: ten + 60 * day, country: "DE" }),
    eventOf({ id: "last", at: ten + 61 * day, country: "DE" }),
  ]);
  expect(await history.compact()).toBe(20);
  await history.record(eventOf({ id: "30 days late", at: ten + 31 * day + 1, country: "FR" }));
  expect(history.stats()).toMatchObject({ late: {}, recorded: 45 });
  await history.record(eventOf({ id: "too late", at: ten + 10 * day + 1, country: "FR" }));
  expect(history.stats()).toMatchObject({ late: { late: 1 } });
});

describe("migrate", () => {
  it("may be called again, and says what is wrong where it was not, or the database is newer", async () => {
    const schema = "migrated";
    const history = createSignalHistory({ database, schema });
    await expect(history.record(eventOf({ id: "a", at: ten, country: "DE" }))).rejects.toThrow(
      "the schema migrated has no signal history, or an older one: call migrate()",
    );
    await Promise.all([history.migrate(), history.migrate()]);
    await history.migrate();
    const { rows } = await database.query("select version from migrated.migration");
    expect(rows).toEqual([
      { version: 1 },
      { version: 2 },
      { version: 3 },
      { version: 4 },
      { version: 5 },
      { version: 6 },
      { version: 7 },
    ]);
    await database.query("insert into migrated.migration (version) values (99)");
    await expect(history.migrate()).rejects.toThrow(/has version 99, and this package knows 7: update the package/);
  });
});

describe("an update of the package", () => {
  it.each([1, 2, 3, 5, 6])(
    "goes on with a history of version %i, beside processes that still work by it",
    async (version) => {
      const schema = `updated_${version}`;
      const history = createSignalHistory({ database, schema, tombstoneKey, log: false });
      await database.query(migrateStatement(schema, version));
      const recordAsBefore = async (...told: Told[]): Promise<unknown[]> => {
        const name = version === 1 ? "record_activities" : `record_activities_${version}`;
        const values = [JSON.stringify(told.map(toldAs)), null];
        return (await database.query(`select * from ${schema}.${name}($1::text::jsonb, $2)`, values)).rows;
      };
      const a = { id: "a", at: ten, country: "DE" };
      const b = { id: "b", at: ten + 1, country: "FR" };
      const c = { id: "c", at: ten + 2, country: "DE" };
      await recordAsBefore(a);
      // What version 3 has is enough to be asked.
      const asked = version < 3 ? [() => history.history("session-1")] : [];
      for (const work of [() => history.record(eventOf(b)), ...asked]) {
        await expect(work()).rejects.toThrow("or an older one: call migrate()");
      }
      await history.migrate();
      const inferred = eventOf(b);
      inferred.statusInferred = true;
      expect(await history.record(inferred)).toMatchObject([
        { previousValue: "DE", value: "FR", statusInferred: true },
      ]);
      // A process of the old version records, and is told again of what others recorded.
      const [answer] = await recordAsBefore(c, b);
      expect(answer).toMatchObject({ recorded: 1, changed: 1, duplicate: 1 });
      if (version > 1) {
        expect((answer as { changes: object[] }).changes).toMatchObject([
          { event_id: "c", previous_value: "FR", verified: false },
          { event_id: "b", status: "OK", verified: false },
        ]);
      }
      expect(await linesOf(history, "session-1")).toEqual(["country=DE by a", "country=FR by b", "country=DE by c"]);
      expect((await history.history("session-1")).map(({ statusInferred }) => statusInferred)).toEqual([
        false,
        true,
        false,
      ]);
      await database.query(`select * from ${schema}.compact('1 second', 10)`);
      // And its forget erases what is new, too.
      await history.setAside(recordOf(eventOf({ id: "d", at: ten, user: "ada", country: "DE" })), "rejected");
      await database.query(`select * from ${schema}.forget($1, $2, $3, $4)`, [
        ["session-1"],
        "ada",
        [],
        "no key of ours",
      ]);
      for (const table of ["activity", "observation", "set_aside", "session_user"]) {
        expect((await database.query(`select * from ${schema}.${table}`)).rows).toEqual([]);
      }
    },
  );

  /** As the first versions of the function take an event. */
  function toldAs({ id, at, country }: Told): object {
    const time = new Date(at).toISOString();
    const text = {
      service: "s",
      action: "a",
      procedure: "/a.B/C",
      status: "OK",
      verified: false,
      status_inferred: false,
      context_problem: "",
    };
    return {
      event_id: id,
      session_id: "session-1",
      started_at: time,
      completed_at: time,
      ...text,
      signals: { country },
      marks: [],
    };
  }
});

describe("what goes wrong says what it calls for", () => {
  const event = eventOf({ id: "a", at: ten, country: "DE" });
  const reasonOf = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => expect.unreachable("it was to fail"),
      (reason: unknown) => reason,
    );

  it.each([
    ["22P02", "poison"],
    ["57P01", "passing"],
    ["28P01", "permanent"],
  ])("%s: %s, on the database's own error", async (code, failure) => {
    const error = Object.assign(new Error("from the database"), { code });
    const history = createSignalHistory({ database: { query: () => Promise.reject(error) }, tombstoneKey, log: false });
    for (const work of [
      () => history.migrate(),
      () => history.record(event),
      () => history.recordBatch([event]),
      () => history.compact(),
      () => history.forget({ userId: "a" }),
      () => history.history("a"),
      () => history.current("a"),
      () => history.changes(),
      () => history.triggeredBy("a"),
    ]) {
      const rejected = await reasonOf(work());
      expect(rejected).toBe(error);
      expect(rejected).toMatchObject({ failure });
    }
  });

  it("a schema that is not there, and a wrong argument, are permanent", async () => {
    const history = createSignalHistory({ database, schema: "not_there", log: false });
    expect(await reasonOf(history.record(event))).toMatchObject({ failure: "permanent" });
    expect(await reasonOf(history.changes({ limit: 0 }))).toMatchObject({ failure: "permanent" });
    expect(await reasonOf(history.forget({ userId: "a" }))).toMatchObject({ failure: "permanent" });
  });

  it("and holds nothing of what was to be recorded", async () => {
    const history = createSignalHistory({ database, schema: "not_there", log: false });
    const error = await reasonOf(history.record(event));
    expect(inspect(error, { depth: Infinity, showHidden: true, maxStringLength: Infinity })).not.toContain("session-1");
  });
});

describe("the options", () => {
  it.each<[object, string, string, string?]>([
    [
      { database: {} },
      "database",
      "database must be a Pool of pg, a PGlite, or what openSignalDatabase gives, got an object",
    ],
    [{ database: "postgres://u:secret@h/d" }, "database", "openSignalDatabase gives, got a text of 23 characters"],
    [
      { schema: "a; drop table b" },
      "schema",
      'schema must be 1 to 48 of a-z, 0-9 and _, and not begin with a digit, got "a; drop table b"',
    ],
    [{ signals: 1 }, "signals", "signals must be a function, got 1"],
    [{ accept: 1 }, "accept", "accept must be a function, got 1"],
    [{ normalize: 1 }, "normalize", "normalize must be a function, got 1"],
    [{ requireVerified: "yes" }, "requireVerified", 'requireVerified must be true or false, got "yes"'],
    [{ latenessMs: -1 }, "latenessMs", "latenessMs must be a number of milliseconds from 0 to 315360000000, got -1"],
    [
      { tombstoneKey: 1234567890 },
      "tombstoneKey",
      "tombstoneKey must be at least 16 bytes, as a text or bytes, got a number",
    ],
    [{ tombstoneKey: new Uint8Array(15) }, "tombstoneKey", "as a text or bytes, got bytes"],
    [{ log: 1 }, "log", "log must be a logger with the methods debug, info, warn and error, or false, got 1"],
    [
      { lateness: 1 },
      "lateness",
      "lateness is not an option of createSignalHistory: did you mean latenessMs?",
      "UNKNOWN",
    ],
  ])("%j: %s", (options, option, message, code = "INVALID") => {
    const refusal = refusalOf(() => createSignalHistory({ database, ...options }));
    expect(refusal.message).toContain(message);
    expect(refusal).toMatchObject({ option, code: `ERR_OPTION_${code}` });
  });

  it("do not repeat a key that is too short", () => {
    expect(refusalOf(() => createSignalHistory({ database, tombstoneKey: "short-secret" }))).toMatchObject({
      message: "tombstoneKey must be at least 16 bytes, as a text or bytes, got a text of 12 characters",
      code: "ERR_OPTION_INVALID",
      option: "tombstoneKey",
    });
  });

  it("open a database in memory where none is given", { timeout: 60_000 }, async () => {
    const history = createSignalHistory();
    await history.migrate();
    await history.record(eventOf({ id: "a", at: ten, country: "DE" }));
    expect(await linesOf(history, "session-1")).toEqual(["country=DE by a"]);
    await history.close();
    await expect(history.history("session-1")).rejects.toThrow(/closed/i);
  });
});

async function historiesIn(history: SignalHistory): Promise<Histories> {
  const all: SignalChange[] = [];
  for (;;) {
    const page = await history.changes({ after: all.at(-1)?.cursor, limit: 10_000 });
    all.push(...page);
    if (page.length < 10_000) return historiesOf(all);
  }
}

/** All orders of the numbers below `length`. */
function permutationsOf(length: number): number[][] {
  if (length === 0) return [[]];
  return permutationsOf(length - 1).flatMap((shorter) =>
    Array.from({ length }, (_, place) => shorter.toSpliced(place, 0, length - 1)),
  );
}
