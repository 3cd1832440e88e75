import { type Option, type OptionsOf, readOptions, text, wholeNumber } from "../base/options.js";
import { cursorOf, type Place, readCursor } from "./cursor.js";
import { activityCells, cellOf, msOf, optionalCell } from "./row-cells.js";
import { changeColumns } from "./sql/change-columns.js";
import type { Ask, Row } from "./statement.js";
import { idOf, nameOf } from "./stored-text.js";

/** A signal of a session changed, and this is the activity that says so. */
export interface SignalChange {
  readonly sessionId: string;
  /** The signal's name, for example `device_id`. */
  readonly signal: string;
  /** The value since this activity. */
  readonly value: string;
  /** The value before it. Undefined if this is the first one known. */
  readonly previousValue: string | undefined;
  /** When the call began: the moment that its context describes. */
  readonly startedAt: Date;
  /** When the call's outcome was decided. */
  readonly completedAt: Date;
  /** The activity's event. */
  readonly eventId: string;
  readonly service: string;
  readonly action: string;
  readonly procedure: string;
  readonly status: string;
  /** Whether another status fits the evidence, too, so that `status` is the most probable one. */
  readonly statusInferred: boolean;
  /** Whether the service had verified the session context. */
  readonly verified: boolean;
  /** The place of this change among all, for {@link SignalPageQuery.after}. */
  readonly cursor: string;
}

/** Which page of an answer to get. */
export interface SignalPageQuery {
  /** Only what comes after the change with this `cursor`: that of the last one of the page before. */
  after?: string | undefined;
  /**
   * How many at most, up to 10,000. A page with fewer is the last one.
   *
   * @default 1000
   */
  limit?: number | undefined;
}

/** Which changes to get. */
export interface SignalChangesQuery extends SignalPageQuery {
  /** From this moment on, by the start of the call. By default, from the first one. */
  since?: Date | undefined;
  /** Of this signal only. */
  signal?: string | undefined;
}

/**
 * Asks the history. An answer is a page, and asking for it takes no longer if a session has a long past.
 *
 * @example
 * let page = await history.history("session-1");
 * while (page.length > 0) page = await history.history("session-1", { after: page.at(-1)?.cursor });
 */
export interface SignalQueries {
  /** The changes of a session, in the order of the calls' starts. */
  history(sessionId: string, page?: SignalPageQuery): Promise<SignalChange[]>;
  /** What a session's signals are now: the last change of each signal, in the order of their names. */
  current(sessionId: string, page?: SignalPageQuery): Promise<SignalChange[]>;
  /**
   * Changes of all sessions, in the order of the calls' starts. An event that comes late can still add one before those that
   * were seen.
   */
  changes(query?: SignalChangesQuery): Promise<SignalChange[]>;
  /** What an activity changed, in the order of the signals' names: one change for each of its signals at most. */
  triggeredBy(eventId: string): Promise<SignalChange[]>;
}

const cursorOption: Option<Place | undefined> = {
  meaning: "Only what comes after the change with this `cursor`",
  expects: "the cursor of a change",
  read: (value) => (typeof value === "string" ? readCursor(value, 3) : undefined),
};

/** How many a page has at most. */
export const limitOption: Option<number> = wholeNumber({
  meaning: "How many at most",
  unit: "changes",
  byDefault: 1_000,
  max: 10_000,
});

/** The options of a page. */
const pageTable: OptionsOf<{ readonly after: Place | undefined; readonly limit: number }> = {
  after: cursorOption,
  limit: limitOption,
};

/** The options of {@link SignalQueries.changes}. */
const changesTable: OptionsOf<{
  readonly since: Date | undefined;
  readonly signal: string | undefined;
  readonly after: Place | undefined;
  readonly limit: number;
}> = {
  since: {
    meaning: "From this moment on, by the start of the call",
    expects: "a valid Date",
    read: (value) => (isMoment(value) ? value : undefined),
  },
  signal: text({ meaning: "Of this signal only", pattern: /./s }),
  ...pageTable,
};

/** The order of changes. */
const inOrder = "c.started_at, c.event_id, c.signal";

/** Creates the queries. */
export function createQueries(ask: Ask, schema: string): SignalQueries {
  const columns = changeColumns(schema, "c");
  const changes = `select ${columns} from ${schema}.change c`;

  async function find(statement: string, values: unknown[]): Promise<SignalChange[]> {
    return (await ask(statement, values)).map(changeOf);
  }

  return {
    async history(sessionId, page) {
      const { after, limit } = readOptions("history", pageTable, page);
      const { conditions, values } = conditionsOf([
        ["c.session_id = $", [idOf(sessionId)]],
        [afterPlace, after],
      ]);
      return find(`${changes} ${conditions} order by ${inOrder} limit ${limit}`, values);
    },
    async current(sessionId, page) {
      const { after, limit } = readOptions("current", pageTable, page);
      return find(currentStatement(schema, columns), [idOf(sessionId), after?.[2] ?? "", limit]);
    },
    triggeredBy: (eventId) => find(`${changes} where c.event_id = $1 order by c.signal`, [idOf(eventId)]),
    async changes(query) {
      const { since, signal, after, limit } = readOptions("changes", changesTable, query);
      const { conditions, values } = conditionsOf([
        ["c.started_at >= $::timestamptz", since && [since.toISOString()]],
        ["c.signal = $", signal === undefined ? undefined : [nameOf(signal)]],
        [afterPlace, after],
      ]);
      return find(`${changes} ${conditions} order by ${inOrder} limit ${limit}`, values);
    },
  };
}

const afterPlace = `(${inOrder}) > (timestamptz 'epoch' + $::bigint * interval '1 microsecond', $, $)`;

/** The conditions whose values are given. Each `$` is a value. Whoever plans the statement sees only those that count. */
export function conditionsOf(
  given: readonly (readonly [condition: string, values: readonly unknown[] | undefined])[],
): {
  readonly conditions: string;
  readonly values: unknown[];
} {
  const values: unknown[] = [];
  const conditions = given.flatMap(([condition, own]) => {
    if (own === undefined) return [];
    let next = values.length;
    values.push(...own);
    return condition.replaceAll("$", () => `$${++next}`);
  });
  return { conditions: conditions.length === 0 ? "" : `where ${conditions.join(" and ")}`, values };
}

/** Goes from one signal of a session to the next by an index, and takes the last change of each. */
function currentStatement(schema: string, columns: string): string {
  const next = (before: string): string => `(select o.signal from ${schema}.observation o
    where o.session_id = $1 and o.signal > ${before} and o.is_change order by o.signal limit 1)`;
  return `with recursive known as (
      select ${next("$2")} as signal
      union all
      select ${next("k.signal")} from known k where k.signal is not null
    )
    select ${columns} from (select k.signal from known k where k.signal is not null limit $3) k
    cross join lateral (
      select c.* from ${schema}.change c where c.session_id = $1 and c.signal = k.signal
      order by c.started_at desc, c.event_id desc limit 1
    ) c order by c.signal`;
}

/** The changes that recording has answered with as JSON texts, in the order of all answers. */
export function toldChanges(texts: readonly string[]): SignalChange[] {
  return texts
    .flatMap((json): Row[] => JSON.parse(json))
    .map((row) => ({ change: changeOf(row), micros: BigInt(String(row["started_micros"])) }))
    .sort((a, b) => (a.micros < b.micros ? -1 : a.micros > b.micros ? 1 : compareIds(a.change, b.change)))
    .map(({ change }) => change);
}

/** Byte by byte, as the database compares them. */
function compareIds(a: SignalChange, b: SignalChange): number {
  const byEvent = Buffer.compare(Buffer.from(a.eventId), Buffer.from(b.eventId));
  return byEvent === 0 ? Buffer.compare(Buffer.from(a.signal), Buffer.from(b.signal)) : byEvent;
}

function changeOf(row: Row): SignalChange {
  const startedMicros = cellOf(row, "started_micros");
  const signal = cellOf(row, "signal");
  const activity = activityCells(row);
  return {
    ...activity,
    signal,
    value: cellOf(row, "value"),
    previousValue: optionalCell(row, "previous_value"),
    startedAt: new Date(msOf(startedMicros)),
    completedAt: new Date(msOf(cellOf(row, "completed_micros"))),
    cursor: cursorOf(startedMicros, activity.eventId, signal),
  };
}

function isMoment(value: unknown): value is Date {
  return value instanceof Date && !Number.isNaN(value.getTime());
}
