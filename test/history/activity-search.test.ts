import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ActivitySearch, createActivitySearch, type FoundActivity } from "../../src/history/activity-search.js";
import { createSignalHistory, openSignalDatabase, type SignalHistory } from "../../src/history/index.js";
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
  });
});

describe("the extent", () => {
  it("says how far the history reaches, and how far it is compacted", async () => {
    expect(await search.extent()).toMatchObject({
      oldestMs: noon,
      newestMs: noon + 59_000,
      compactedThroughMs: undefined,
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
  await database.query("delete from signal_history.migration where version = 5");
  await expect(search.check()).rejects.toThrow(
    "version 4, and this package reads 5: let a history worker of this version start once",
  );
  await database.query("insert into signal_history.migration (version) values (5), (6)");
  await expect(search.check()).rejects.toMatchObject({
    failure: "permanent",
    message: expect.stringContaining("update this package"),
  });
});
