import { fromBinary } from "@bufbuild/protobuf";
import { SessionActivityEventSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import type { ActivitySearch, FoundActivity } from "../history/activity-search.js";
import type { SignalQueries } from "../history/queries.js";
import { RequestError } from "./answers.js";
import type { LiveFeed } from "./live-feed.js";
import type { MaskedView, Reveal } from "./masked-view.js";
import type { ActivityPage, Extent, LiveEvent, SessionPage } from "./messages.js";

/** What a view asks, by the names in its address. */
export type ViewQuery = URLSearchParams;

/** Answers a view's question. */
export type View = (query: ViewQuery, reveal: Reveal) => Promise<unknown>;

/** What views are made of. */
export interface ViewSources {
  readonly search: ActivitySearch;
  readonly current: SignalQueries["current"];
  readonly feed: LiveFeed;
  readonly view: MaskedView;
}

const defaultLimit = 100;
const maxLimit = 500;
/** Longer than any id that is kept. */
const maxTextLength = 4_096;

/** The views of the history, and of one live event, by their names. */
export function createViews(sources: ViewSources): Readonly<Record<string, View>> {
  return {
    session: (query, reveal) => sessionPage(sources, query, reveal),
    search: (query, reveal) => searchPage(sources, query, reveal),
    changes: (query, reveal) => changesPage(sources, query, reveal),
    signals: () => sources.search.signals(),
    event: (query, reveal) => Promise.resolve(liveEvent(sources, query, reveal)),
  };
}

async function sessionPage(sources: ViewSources, query: ViewQuery, reveal: Reveal): Promise<SessionPage> {
  const { search, current, view } = sources;
  const session = required(query, "id");
  const page = pageOf(query);
  const [activities, signals, extent] = await Promise.all([
    search.timeline(session, page),
    current(session, { limit: maxLimit }),
    extentOf(search),
  ]);
  return {
    ...activityPage(activities, page.limit, extent, view, reveal),
    session,
    current: signals.map(({ signal, value }) => view.signal(signal, value, reveal)),
  };
}

async function searchPage({ search, view }: ViewSources, query: ViewQuery, reveal: Reveal): Promise<ActivityPage> {
  const page = pageOf(query);
  const verified = optional(query, "verified");
  const filter = {
    ...page,
    ...timesOf(query),
    sessionId: optional(query, "session"),
    userId: optional(query, "user"),
    action: optional(query, "action"),
    status: optional(query, "status"),
    verified: verified === undefined ? undefined : verified === "yes",
  };
  const [activities, extent] = await Promise.all([search.search(filter), extentOf(search)]);
  return activityPage(activities, page.limit, extent, view, reveal);
}

async function changesPage({ search, view }: ViewSources, query: ViewQuery, reveal: Reveal): Promise<ActivityPage> {
  const page = pageOf(query);
  const filter = {
    ...page,
    ...timesOf(query),
    signal: required(query, "signal"),
    previousValue: optional(query, "previous"),
    value: optional(query, "value"),
  };
  const [changes, extent] = await Promise.all([search.changes(filter), extentOf(search)]);
  const activities = changes.map(({ activity, ...change }) => ({ ...activity, changes: [change] }));
  return activityPage(activities, page.limit, extent, view, reveal);
}

function liveEvent({ feed, view }: ViewSources, query: ViewQuery, reveal: Reveal): LiveEvent {
  const found = feed.find(required(query, "id"));
  if (found === undefined) throw new RequestError(404, "the event is too long ago: look for its session");
  if (reveal === "masked") return found.shown;
  if (found.bytes === undefined) throw new RequestError(404, "the event is too large to be revealed here");
  const { arrivedAt, replayed } = found.shown;
  return { ...view.event(fromBinary(SessionActivityEventSchema, found.bytes), replayed, "revealed"), arrivedAt };
}

function activityPage(
  activities: readonly FoundActivity[],
  limit: number,
  extent: Extent,
  view: MaskedView,
  reveal: Reveal,
): ActivityPage {
  return {
    activities: activities.map((activity) => view.activity(activity, reveal)),
    next: activities.length < limit ? undefined : activities.at(-1)?.cursor,
    revealed: reveal === "revealed",
    extent,
  };
}

async function extentOf(search: ActivitySearch): Promise<Extent> {
  const { compactedThroughMs, oldestMs, newestMs, statuses } = await search.extent();
  return { compactedThrough: compactedThroughMs, oldest: oldestMs, newest: newestMs, statuses };
}

function pageOf(query: ViewQuery): { readonly before: string | undefined; readonly limit: number } {
  const limit = Number(optional(query, "limit") ?? defaultLimit);
  if (!Number.isInteger(limit) || limit < 1 || limit > maxLimit) {
    throw new RequestError(400, `limit must be a whole number from 1 to ${maxLimit}`);
  }
  return { before: optional(query, "before"), limit };
}

function timesOf(query: ViewQuery): { readonly sinceMs: number | undefined; readonly untilMs: number | undefined } {
  return { sinceMs: timeOf(query, "since"), untilMs: timeOf(query, "until") };
}

function timeOf(query: ViewQuery, name: string): number | undefined {
  const text = optional(query, name);
  if (text === undefined) return undefined;
  const ms = Date.parse(text);
  // What PostgreSQL can hold, and no year that would need a sign.
  if (Number.isNaN(ms) || ms < 0 || ms > 253_402_300_799_999) {
    throw new RequestError(400, `${name} must be a time such as 2026-01-31T12:00Z`);
  }
  return ms;
}

function optional(query: ViewQuery, name: string): string | undefined {
  const text = query.get(name) ?? "";
  if (text.length > maxTextLength) throw new RequestError(400, `${name} is too long`);
  // PostgreSQL takes no NUL, so nothing that it holds has one.
  if (text.includes("\0")) throw new RequestError(400, `${name} must not hold a NUL`);
  return text === "" ? undefined : text;
}

function required(query: ViewQuery, name: string): string {
  const text = optional(query, name);
  if (text === undefined) throw new RequestError(400, `${name} must be given`);
  return text;
}
