import { withFailure } from "../base/failure.js";
import { describe, optionError } from "../base/option-error.js";
import { cursorOf, type Place, readCursor } from "./cursor.js";
import type { SignalDatabase } from "./database.js";
import { classified } from "./database-failure.js";
import { conditionsOf } from "./queries.js";
import { activityCells, cellOf, msOf, optionalCell } from "./row-cells.js";
import { schemaVersion } from "./schema.js";
import { microsOf, previousValueOf } from "./sql/change-columns.js";
import { type Ask, createAsk, type Row } from "./statement.js";
import { idOf, nameOf } from "./stored-text.js";

/** A signal that an activity changed. */
export interface FoundChange {
  readonly signal: string;
  readonly value: string;
  /** Undefined if this is the first value known. */
  readonly previousValue: string | undefined;
}

/** A signal that an activity came with, and that it did not change. */
export interface OfferedSignal {
  readonly signal: string;
  readonly value: string;
  /** What held in its session when it began. Undefined if nothing was known. */
  readonly heldValue: string | undefined;
}

/** An activity as the history keeps it. */
export interface FoundActivity {
  readonly eventId: string;
  readonly sessionId: string;
  readonly startedAtMs: number;
  readonly completedAtMs: number;
  readonly service: string;
  readonly action: string;
  readonly procedure: string;
  readonly status: string;
  readonly statusInferred: boolean;
  readonly verified: boolean;
  readonly contextProblem: string;
  /** Whether another activity came with the same signature. */
  readonly replayed: boolean;
  /** Why it was not placed in the order of its session. Undefined if it was. */
  readonly lateReason: string | undefined;
  /** What it changed, in the order of the signals' names. */
  readonly changes: readonly FoundChange[];
  /** Why it does not count. Undefined if it does, or if it is not known. */
  readonly notCounted: string | undefined;
  /** What it came with if it does not count or was not placed, in the order of the signals' names. */
  readonly offered: readonly OfferedSignal[];
  /** Its place, for {@link PageBefore.before}. */
  readonly cursor: string;
}

/** A change of a signal, with the activity that made it. */
export interface FoundSignalChange extends FoundChange {
  readonly activity: Omit<FoundActivity, "changes">;
}

/** Which page to get: the newest come first. */
export interface PageBefore {
  /** Only what comes before the activity with this cursor. */
  readonly before?: string | undefined;
  /** How many at most. */
  readonly limit: number;
}

/** Times in milliseconds since 1970. */
interface TimeRange {
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
}

/** What activities must be. What is not given does not count. */
export interface ActivityFilter extends PageBefore, TimeRange {
  readonly sessionId?: string | undefined;
  readonly userId?: string | undefined;
  readonly action?: string | undefined;
  readonly status?: string | undefined;
  readonly verified?: boolean | undefined;
}

/** Which changes to get. */
export interface ChangeFilter extends PageBefore, TimeRange {
  readonly signal: string;
  readonly value?: string | undefined;
  /** Among the newest 5,000 changes that fit otherwise. */
  readonly previousValue?: string | undefined;
}

/** Some of the names that there are, in their order. */
export interface FoundNames {
  readonly names: readonly string[];
  /** Whether there are more. */
  readonly isCut: boolean;
}

/** What the history says about how much it holds. */
export interface HistoryExtent {
  /** Up to here it is compacted: of what is older, only the activities are kept that changed something. */
  readonly compactedThroughMs: number | undefined;
  readonly oldestMs: number | undefined;
  readonly newestMs: number | undefined;
  /** With which statuses the calls ended whose activities are there. */
  readonly statuses: FoundNames;
}

/** Looks for activities. It only reads, and each question goes by an index. */
export interface ActivitySearch {
  /** Rejects if the schema is not of the version that this package works with. */
  check(): Promise<void>;
  /** The activities of a session, also those that came too late to be placed. */
  timeline(sessionId: string, page: PageBefore): Promise<FoundActivity[]>;
  search(filter: ActivityFilter): Promise<FoundActivity[]>;
  changes(filter: ChangeFilter): Promise<FoundSignalChange[]>;
  /** The signals that have a change. */
  signals(): Promise<FoundNames>;
  extent(): Promise<HistoryExtent>;
}

/** Creates a search in the history of this schema. */
export function createActivitySearch(database: SignalDatabase, schema: string): ActivitySearch {
  const ask = createAsk(database, schema);
  return classified({
    check: () => checkVersion(ask, schema),
    async timeline(sessionId: string, page: PageBefore) {
      const rows = await ask(...timelineQuery(schema, sessionId, page));
      return rows.map(activityOf);
    },
    async search(filter: ActivityFilter) {
      const rows = await ask(...searchQuery(schema, filter));
      return rows.map(activityOf);
    },
    async changes(filter: ChangeFilter) {
      const rows = await ask(...changesQuery(schema, filter));
      return rows.map((row) => ({ ...changeOf(row), activity: activityOf(row) }));
    },
    signals: () => namesIn(ask, `${schema}.observation`, "signal", "c.is_change", maxSignalNames),
    extent: () => extentOf(ask, schema),
  });
}

async function checkVersion(ask: Ask, schema: string): Promise<void> {
  const [row] = await ask(`select max(version)::text as version from ${schema}.migration`, []);
  const version = Number(row?.["version"] ?? 0);
  if (version === schemaVersion) return;
  const advice = version < schemaVersion ? "let a history worker of this version start once" : "update this package";
  const message = `the history in ${schema} has version ${version}, and this package reads ${schemaVersion}: ${advice}`;
  throw withFailure(new Error(message), "permanent");
}

type Query = [statement: string, values: unknown[]];

/** The columns of an activity `a`, as texts: what clients make of other types differs. */
const activityColumns = `a.event_id, a.session_id, ${microsOf("a.started_at")} as started_micros,
  ${microsOf("a.completed_at")} as completed_micros, a.service, a.action, a.procedure, a.status,
  a.status_inferred::text as status_inferred, a.verified::text as verified, a.context_problem`;

const replayedColumn = (schema: string): string =>
  `(exists (select 1 from ${schema}.activity r where r.mark_hash = a.mark_hash and r.event_id <> a.event_id))::text as replayed`;

const changesColumn = (schema: string): string => `(
    select jsonb_agg(jsonb_build_array(o.signal, o.value, ${previousValueOf(schema, "o")}) order by o.signal)
    from ${schema}.observation o where o.event_id = a.event_id and o.is_change
  )::text as changes`;

/** What an activity `a` came with, beside what held in its session before it. */
const offeredColumn = (schema: string): string => `(
    select jsonb_agg(jsonb_build_array(o.signal, o.value, ${previousValueOf(schema, "o")}) order by o.signal)
    from (
      select a.session_id, a.started_at, a.event_id, s.signal collate "C" as signal, s.value
      from jsonb_each_text(a.offered) as s(signal, value)
    ) o
  )::text as offered`;

const beforePlace = "(a.started_at, a.event_id) < (timestamptz 'epoch' + $::bigint * interval '1 microsecond', $)";
const newestFirst = "order by a.started_at desc, a.event_id desc";

function timelineQuery(schema: string, sessionId: string, { before, limit }: PageBefore): Query {
  const { conditions, values } = conditionsOf([
    ["a.session_id = $", [idOf(sessionId)]],
    [beforePlace, placeOf(before)],
  ]);
  const kept =
    "event_id, session_id, started_at, completed_at, service, action, procedure, status, status_inferred, verified";
  const page = (table: string, reason: string, offered: string): string => `(
    select ${kept}, context_problem, mark_hash, ${reason} as late_reason, not_counted, ${offered} as offered
    from ${schema}.${table} a ${conditions} ${newestFirst} limit ${limit}
  )`;
  const statement = `select ${activityColumns}, a.late_reason, a.not_counted, ${replayedColumn(schema)},
      ${changesColumn(schema)}, ${offeredColumn(schema)}
    from (
      ${page("activity", "null", "offered")}
      union all
      ${page("late_activity", "reason", "coalesce(offered, signals)")}
    ) a ${newestFirst} limit ${limit}`;
  return [statement, values];
}

/** A user's sessions of which a search looks through the activities. */
const maxSessionsOfUser = 1_000;

function searchQuery(schema: string, filter: ActivityFilter): Query {
  const { sessionId, userId, action, status, verified, before, limit } = filter;
  const { conditions, values } = conditionsOf([
    ["a.session_id = $", sessionId === undefined ? undefined : [idOf(sessionId)]],
    ["a.action = $", action === undefined ? undefined : [action]],
    ["a.status = $", status === undefined ? undefined : [status]],
    [verified === true ? "a.verified" : "not a.verified", verified === undefined ? undefined : []],
    ...timeConditions(filter),
    [beforePlace, placeOf(before)],
  ]);
  const found = `select a.* from ${schema}.activity a ${conditions} ${newestFirst} limit ${limit}`;
  const source = userId === undefined ? found : ofUser(schema, conditions, values.push(idOf(userId)), limit);
  const statement = `select ${activityColumns}, null as late_reason, a.not_counted, ${replayedColumn(schema)},
      ${changesColumn(schema)}, ${offeredColumn(schema)}
    from (${source}) a ${newestFirst}`;
  return [statement, values];
}

/** The newest activities of each session, by the index of the session, and the newest of these. */
function ofUser(schema: string, conditions: string, userPlace: number, limit: number): string {
  return `select a.* from (
      select u.session_id from ${schema}.session_user u where u.user_id = $${userPlace}
      order by u.session_id desc limit ${maxSessionsOfUser}
    ) u cross join lateral (
      select a.* from ${schema}.activity a ${conditions === "" ? "where" : `${conditions} and`} a.session_id = u.session_id
      ${newestFirst} limit ${limit}
    ) a ${newestFirst} limit ${limit}`;
}

/** How many changes are looked through for what they replaced: that stands in no index. */
const maxComparedChanges = 5_000;

function changesQuery(schema: string, filter: ChangeFilter): Query {
  const { signal, value, previousValue, before, limit } = filter;
  const { conditions, values } = conditionsOf([
    ["a.is_change and a.signal = $", [nameOf(signal)]],
    ["a.value = $", value === undefined ? undefined : [value]],
    ...timeConditions(filter),
    [beforePlace, placeOf(before)],
  ]);
  const found = `select a.session_id, a.signal, a.value, a.event_id, a.started_at
    from ${schema}.observation a ${conditions} ${newestFirst}`;
  const source =
    previousValue === undefined
      ? `${found} limit ${limit}`
      : `select a.* from (${found} limit ${maxComparedChanges}) a
          where ${previousValueOf(schema, "a")} = $${values.push(previousValue)} ${newestFirst} limit ${limit}`;
  const statement = `select ${activityColumns}, o.signal, o.value, ${previousValueOf(schema, "o")} as previous_value,
      null as late_reason, ${replayedColumn(schema)}
    from (${source}) o join ${schema}.activity a on a.event_id = o.event_id ${newestFirst}`;
  return [statement, values];
}

function timeConditions({ sinceMs, untilMs }: TimeRange): [string, unknown[] | undefined][] {
  return [
    ["a.started_at >= $::timestamptz", sinceMs === undefined ? undefined : [isoOf(sinceMs)]],
    ["a.started_at < $::timestamptz", untilMs === undefined ? undefined : [isoOf(untilMs)]],
  ];
}

const maxSignalNames = 200;
/** Statuses are few, unless a stranger makes them up. */
const maxStatuses = 20;

/** Goes from one value of a column to the next by an index whose first column it is. */
async function namesIn(ask: Ask, table: string, column: string, condition: string, limit: number): Promise<FoundNames> {
  const next = (after: string): string =>
    `(select c.${column} from ${table} c where ${condition} ${after} order by c.${column} limit 1)`;
  const statement = `with recursive known as (
      select ${next("")} as name
      union all
      select ${next(`and c.${column} > k.name`)} from known k where k.name is not null
    )
    select k.name from known k where k.name is not null limit ${limit + 1}`;
  const names = (await ask(statement, [])).map(({ name }) => String(name));
  return { names: names.slice(0, limit), isCut: names.length > limit };
}

async function extentOf(ask: Ask, schema: string): Promise<HistoryExtent> {
  const end = (order: string): string =>
    `(select ${microsOf("a.started_at")} from ${schema}.activity a order by a.started_at ${order}, a.event_id ${order} limit 1)`;
  const statuses = await namesIn(ask, `${schema}.activity`, "status", "true", maxStatuses);
  const [row] = await ask(
    `select ${end("asc")} as oldest, ${end("desc")} as newest,
      case when isfinite(s.closed_through) then ${microsOf("nullif(s.closed_through, '-infinity')")} end as closed
      from ${schema}.state s`,
    [],
  );
  const ms = (column: string): number | undefined => {
    const text = row && optionalCell(row, column);
    return text === undefined ? undefined : msOf(text);
  };
  return { compactedThroughMs: ms("closed"), oldestMs: ms("oldest"), newestMs: ms("newest"), statuses };
}

function activityOf(row: Row): FoundActivity {
  const startedMicros = cellOf(row, "started_micros");
  const activity = activityCells(row);
  return {
    ...activity,
    startedAtMs: msOf(startedMicros),
    completedAtMs: msOf(cellOf(row, "completed_micros")),
    contextProblem: cellOf(row, "context_problem"),
    replayed: cellOf(row, "replayed") === "true",
    lateReason: optionalCell(row, "late_reason"),
    changes: triplesOf(row["changes"]).map(([signal, value, previousValue]) => ({ signal, value, previousValue })),
    notCounted: optionalCell(row, "not_counted"),
    offered: triplesOf(row["offered"]).map(([signal, value, heldValue]) => ({ signal, value, heldValue })),
    cursor: cursorOf(startedMicros, activity.eventId),
  };
}

/** A signal, its value, and the value before that. */
function triplesOf(json: unknown): [signal: string, value: string, before: string | undefined][] {
  if (typeof json !== "string") return [];
  const rows: readonly (readonly [string, string, string | null])[] = JSON.parse(json);
  return rows.map(([signal, value, before]) => [signal, value, before ?? undefined]);
}

function changeOf(row: Row): FoundChange {
  return {
    signal: cellOf(row, "signal"),
    value: cellOf(row, "value"),
    previousValue: optionalCell(row, "previous_value"),
  };
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

function placeOf(cursor: string | undefined): Place | undefined {
  if (cursor === undefined) return undefined;
  const place = readCursor(cursor, 2);
  if (place !== undefined) return place;
  const details = { option: "before", expected: "the cursor of an activity", received: describe(cursor) };
  throw optionError("ERR_OPTION_INVALID", `before must be ${details.expected}, got ${details.received}`, details);
}
