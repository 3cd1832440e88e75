import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ActivitySearch, createActivitySearch, type FoundActivity } from "../../src/history/activity-search.js";
import { createSignalHistory, openSignalDatabase, type SignalHistory } from "../../src/history/index.js";
import { schemaVersion } from "../../src/history/schema.js";
import { encodeSessionContext } from "../../src/index.js";
import { type Call, callEvent } from "../console/console-fixtures.js";

const noon = Date.UTC(2026, 10, 27, 12);
const calls: readonly Call[] = Array.from({ length: 60 }, (_, index) => ({
  id: `e-${String(index).padStart(3, "0")}`,
  at: noon + index * 1_000,
  session: `session-${index % 3}`,
  user: `user-${index % 2}`,
  action: index % 5 === 0 ? "login" : "update_profile",
  status: index % 7 === 0 ? "PERMISSION_DENIED" : "OK",
  country: index < 30 ? "DE" : "FR",
  verified: index % 4 !== 0,
  problem: index % 4 === 0 ? "signature_invalid" : "",
  signature: index === 10 || index === 20 ? "the same" : `signature-${index}`,
}));

const database = openSignalDatabase({ env: false });
const search: ActivitySearch = createActivitySearch(database, "signal_history");
let history: SignalHistory;
beforeAll(async () => {
  history = createSignalHistory({ database, keepAll: true, latenessMs: 10_000, env: false, log: false });
  await history.migrate();
  await history.recordBatch(calls.map(callEvent));
}, 60_000);
afterAll(() => database.close());

const ids = (found: readonly FoundActivity[]): string[] => found.map(({ eventId }) => eventId);
const wanted = (fits: (call: Call, index: number) => boolean): string[] =>
  calls
    .filter(fits)
    .map(({ id }) => id)
    .toReversed();

describe("search", () => {
  it.each<[string, Partial<Parameters<ActivitySearch["search"]>[0]>, (call: Call) => boolean]>([
    ["everything", {}, () => true],
    ["a session", { sessionId: "session-1" }, ({ session }) => session === "session-1"],
    ["an action", { action: "login" }, ({ action }) => action === "login"],
    ["a status", { status: "PERMISSION_DENIED" }, ({ status }) => status === "PERMISSION_DENIED"],
    [
      "a status and an action",
      { status: "OK", action: "login" },
      ({ status, action }) => status === "OK" && action === "login",
    ],
    ["what is not verified", { verified: false }, ({ verified }) => verified === false],
    ["what is verified", { verified: true }, ({ verified }) => verified === true],
    [
      "a time",
      { sinceMs: noon + 5_000, untilMs: noon + 9_000 },
      ({ at = 0 }) => at >= noon + 5_000 && at < noon + 9_000,
    ],
    ["a user's sessions", { userId: "user-0" }, () => true],
    ["a user's sessions and a status", { userId: "user-1", status: "OK" }, ({ status }) => status === "OK"],
    ["nobody", { userId: "nobody" }, () => false],
  ])("finds %s, the newest first", async (_name, filter, fits) => {
    expect(ids(await search.search({ limit: 500, ...filter }))).toEqual(wanted(fits));
  });

  it("goes on from page to page without a hole or a double", async () => {
    const found: FoundActivity[] = [];
    for (let page = await search.search({ limit: 7 }); page.length > 0; ) {
      found.push(...page);
      page = await search.search({ limit: 7, before: page.at(-1)?.cursor });
    }
    expect(ids(found)).toEqual(wanted(() => true));
  });

  it("refuses what is not a cursor", async () => {
    for (const before of ["", "x", "[]", '["1"]', '[1,"e"]', '["x","e"]']) {
      await expect(search.search({ limit: 1, before })).rejects.toMatchObject({ code: "ERR_OPTION_INVALID" });
    }
  });
});

describe("timeline", () => {
  it("tells what each activity changed, and what is in doubt", async () => {
    const found = await search.timeline("session-0", { limit: 500 });
    expect(ids(found)).toEqual(wanted(({ session }) => session === "session-0"));
    const changed = found.filter(({ changes }) =>
      changes.some(({ signal, previousValue }) => signal === "country" && previousValue),
    );
    expect(
      changed.map(({ eventId, changes }) => [eventId, changes.find(({ signal }) => signal === "country")]),
    ).toEqual([["e-030", { signal: "country", value: "FR", previousValue: "DE" }]]);
    expect(found.find(({ eventId }) => eventId === "e-012")).toMatchObject({
      verified: false,
      contextProblem: "signature_invalid",
    });
    const all = await search.search({ limit: 500 });
    expect(ids(all.filter(({ replayed }) => replayed))).toEqual(["e-020", "e-010"]);
  });

  it("says why an activity does not count, and what it came with, without what tells of a person", async () => {
    const told = { session: "session-9", at: noon, country: "DE", device: "phone-1" };
    const refused = { ...told, at: noon + 2, country: "us", device: "phone-2", status: "PERMISSION_DENIED" };
    await history.recordBatch([
      callEvent({ ...refused, id: "y-0", at: noon - 1 }),
      callEvent({ ...told, id: "y-1" }),
      callEvent({ ...refused, id: "y-2" }),
    ]);
    const strict = createSignalHistory({ database, keepAll: true, requireVerified: true, env: false, log: false });
    await strict.record(callEvent({ ...told, id: "y-3", at: noon + 3, country: "FR", verified: false }));
    const found = await search.timeline("session-9", { limit: 10 });
    expect(found.map(({ eventId, notCounted, offered }) => [eventId, notCounted, offered])).toEqual([
      ["y-3", "not_verified", [{ signal: "country", value: "FR", heldValue: "DE" }]],
      ["y-2", "not_accepted", [{ signal: "country", value: "US", heldValue: "DE" }]],
      ["y-1", undefined, []],
      ["y-0", "not_accepted", [{ signal: "country", value: "US", heldValue: undefined }]],
    ]);
    expect(await search.search({ limit: 10, sessionId: "session-9" })).toEqual(found);
    const { rows } = await database.query("select a::text as row from signal_history.activity a");
    expect(JSON.stringify(rows)).toContain("not_verified");
    expect(JSON.stringify(rows)).not.toMatch(/phone-|@example|user-/);
    await database.query("delete from signal_history.activity where session_id = 'session-9'");
    await database.query("delete from signal_history.observation where session_id = 'session-9'");
  });

  it("bounds what is kept of an activity that does not count", async () => {
    const encoded = encodeSessionContext({
      sessionId: "session-8",
      signals: Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`score_${index}`, "x".repeat(270)])),
    });
    const event = callEvent({ id: "x-1", session: "session-8", at: noon, status: "UNAUTHENTICATED" });
    event.encodedSessionContext = encoded;
    await history.record(event);
    const [found] = await search.timeline("session-8", { limit: 10 });
    expect(found?.offered).toHaveLength(16);
    expect(found?.offered.every(({ value }) => value === "x".repeat(256))).toBe(true);
    await database.query("delete from signal_history.activity where session_id = 'session-8'");
  });

  it("keeps what does not count without signals, and without a user of its own", async () => {
    const refused = await search.search({ limit: 500, status: "PERMISSION_DENIED" });
    expect(refused.flatMap(({ changes }) => changes)).toEqual([]);
    await history.record(
      callEvent({ id: "z-1", session: "stranger", user: "victim", status: "UNAUTHENTICATED", at: noon }),
    );
    expect(await search.search({ limit: 10, userId: "victim" })).toEqual([]);
    expect(ids(await search.timeline("stranger", { limit: 10 }))).toEqual(["z-1"]);
  });
});

describe("changes", () => {
  it("of one signal in all sessions, the newest first", async () => {
    const changes = await search.changes({ signal: "country", limit: 10 });
    const firsts = changes.filter(({ previousValue }) => previousValue === undefined);
    expect(firsts).toHaveLength(3);
    expect(
      changes
        .filter(({ previousValue }) => previousValue === "DE")
        .map(({ value, activity }) => [value, activity.sessionId]),
    ).toEqual([
      ["FR", "session-2"],
      ["FR", "session-1"],
      ["FR", "session-0"],
    ]);
    expect(await search.changes({ signal: "country", value: "FR", limit: 10 })).toHaveLength(3);
    expect(await search.changes({ signal: "country", untilMs: noon, limit: 10 })).toEqual([]);
    const fromGermany = { signal: "country", previousValue: "DE", limit: 2 };
    const first = await search.changes(fromGermany);
    const second = await search.changes({ ...fromGermany, before: first.at(-1)?.activity.cursor });
    expect([...first, ...second].map(({ activity }) => activity.sessionId)).toEqual([
      "session-2",
      "session-1",
      "session-0",
    ]);
    expect(await search.changes({ ...fromGermany, previousValue: "FR" })).toEqual([]);
  });

  it("are of signals that are known by name, up to a bound", async () => {
    expect(await search.signals()).toEqual({ names: ["country", "device_id", "user_id"], isCut: false });
    const signals = Object.fromEntries(Array.from({ length: 250 }, (_, index) => [`z_${1_000 + index}`, "1"]));
    const made = createSignalHistory({
      database,
      signals: ({ eventId }) => ({
        sessionId: "many",
        signals: Object.fromEntries(Object.entries(signals).slice(Number(eventId) * 50, Number(eventId) * 50 + 50)),
      }),
      env: false,
      log: false,
    });
    await made.recordBatch(Array.from({ length: 5 }, (_, index) => callEvent({ id: `${index}`, at: noon + index })));
    const { names, isCut } = await search.signals();
    expect([names.length, names[0], names.at(-1), isCut]).toEqual([200, "country", "z_1196", true]);
    await database.query("delete from signal_history.activity where session_id = 'many'");
    await database.query("delete from signal_history.observation where session_id = 'many'");
  });
});

describe("the extent", () => {
  it("says how far the history reaches, and how far it is compacted", async () => {
    expect(await search.extent()).toMatchObject({
      oldestMs: noon,
      newestMs: noon + 59_000,
      compactedThroughMs: undefined,
      statuses: { names: ["OK", "PERMISSION_DENIED", "UNAUTHENTICATED"], isCut: false },
    });
    await history.compact();
    const { compactedThroughMs = 0 } = await search.extent();
    expect(compactedThroughMs).toBe(noon + 49_005);
    // Of what is compacted, what changed something is there, and nothing else.
    const left = await search.search({ limit: 500, untilMs: noon + 40_000 });
    expect(left.every(({ changes }) => changes.length > 0)).toBe(true);
    expect(left.length).toBeGreaterThan(3);
  });
});

it("refuses a history of another version", async () => {
  await expect(search.check()).resolves.toBeUndefined();
  await database.query(`delete from signal_history.migration where version = ${schemaVersion}`);
  await expect(search.check()).rejects.toThrow(
    `version ${schemaVersion - 1}, and this package reads ${schemaVersion}: let a history worker of this version start once`,
  );
  await database.query(
    `insert into signal_history.migration (version) values (${schemaVersion}), (${schemaVersion + 1})`,
  );
  await expect(search.check()).rejects.toMatchObject({
    failure: "permanent",
    message: expect.stringContaining("update this package"),
  });
});
