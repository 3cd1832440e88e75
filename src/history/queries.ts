import { type Option, type OptionsOf, readOptions, text, wholeNumber } from "../base/options.js";
import { changeColumns } from "./sql/change-columns.js";
import type { Ask, Row } from "./statement.js";

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
  /** Whether the service had verified the session context. */
  readonly verified: boolean;
  /** The place of this change among all, for {@link SignalChangesQuery.after}. */
  readonly cursor: string;
}

/** Which changes to get. */
export interface SignalChangesQuery {
  /** From this moment on, by the start of the call. By default, from the first one. */
  since?: Date | undefined;
  /** Of this signal only. */
  signal?: string | undefined;
  /** Only what comes after the change with this `cursor`. */
  after?: string | undefined;
  /** How many at most. By default, 1,000; at most 10,000. */
  limit?: number | undefined;
}

/** Asks the history. All answers are in the order of the calls' starts. */
export interface SignalQueries {
  /** All changes of a session. */
  history(sessionId: string): Promise<SignalChange[]>;
  /** What a session's signals are now: of each signal the last change. */
  current(sessionId: string): Promise<SignalChange[]>;
  /** Changes of all sessions. An event that comes late can still add one before those that were seen. */
  changes(query?: SignalChangesQuery): Promise<SignalChange[]>;
  /** What an activity changed. */
  triggeredBy(eventId: string): Promise<SignalChange[]>;
}

const maxLimit = 10_000;

/** A place among all changes. */
type Cursor = readonly [micros: string, eventId: string, signal: string];

const cursorOption: Option<Cursor | undefined> = {
  meaning: "Only what comes after the change with this `cursor`",
  expects: "the cursor of a change",
  read: (value) => (typeof value === "string" ? readCursor(value) : undefined),
};

/** The options of {@link SignalQueries.changes}. */
const changesTable: OptionsOf<{
  readonly since: Date | undefined;
  readonly signal: string | undefined;
  readonly after: Cursor | undefined;
  readonly limit: number;
}> = {
  since: {
    meaning: "From this moment on, by the start of the call",
    expects: "a valid Date",
    read: (value) => (isMoment(value) ? value : undefined),
  },
  signal: text({ meaning: "Of this signal only" }),
  after: cursorOption,
  limit: wholeNumber({ meaning: "How many at most", unit: "changes", byDefault: 1_000, max: maxLimit }),
};

/** Creates the queries. */
export function createQueries(ask: Ask, schema: string): SignalQueries {
  const columns = changeColumns(schema, "c");

  async function find(rest: string, values: unknown[]): Promise<SignalChange[]> {
    return (await ask(`select ${columns} from ${rest}`, values)).map(changeOf);
  }

  return {
    history: (sessionId) =>
      find(`${schema}.change c where c.session_id = $1 order by c.started_at, c.event_id, c.signal`, [sessionId]),
    current: (sessionId) =>
      find(
        `(select distinct on (signal) * from ${schema}.change where session_id = $1
          order by signal, started_at desc, event_id desc) c order by c.started_at, c.event_id, c.signal`,
        [sessionId],
      ),
    triggeredBy: (eventId) => find(`${schema}.change c where c.event_id = $1 order by c.signal`, [eventId]),
    async changes(query) {
      const { since, signal, after, limit } = readOptions("changes", changesTable, query);
      const [micros, eventId, afterSignal] = after ?? [null, null, null];
      return find(
        `${schema}.change c
          where ($1::timestamptz is null or c.started_at >= $1)
            and ($2::text is null or c.signal = $2)
            and ($3::bigint is null
              or (c.started_at, c.event_id, c.signal) > (timestamptz 'epoch' + $3 * interval '1 microsecond', $4, $5))
          order by c.started_at, c.event_id, c.signal limit $6`,
        [since?.toISOString() ?? null, signal ?? null, micros, eventId, afterSignal, limit],
      );
    },
  };
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
  const cell = (column: string): string => String(row[column]);
  return {
    sessionId: cell("session_id"),
    signal: cell("signal"),
    value: cell("value"),
    previousValue: row["previous_value"] === null ? undefined : cell("previous_value"),
    startedAt: dateOf(cell("started_micros")),
    completedAt: dateOf(cell("completed_micros")),
    eventId: cell("event_id"),
    service: cell("service"),
    action: cell("action"),
    procedure: cell("procedure"),
    status: cell("status"),
    verified: row["verified"] === true,
    cursor: JSON.stringify([cell("started_micros"), cell("event_id"), cell("signal")]),
  };
}

function isMoment(value: unknown): value is Date {
  return value instanceof Date && !Number.isNaN(value.getTime());
}

function dateOf(micros: string): Date {
  return new Date(Math.floor(Number(micros) / 1_000));
}

function readCursor(cursor: string): Cursor | undefined {
  try {
    const parts: unknown = JSON.parse(cursor);
    const [micros, eventId, signal] = Array.isArray(parts) ? parts.map(String) : [];
    if (micros !== undefined && /^-?\d{1,17}$/.test(micros) && eventId !== undefined && signal !== undefined) {
      return [micros, eventId, signal];
    }
  } catch {
    // No JSON, no cursor.
  }
  return undefined;
}
