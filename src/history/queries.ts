import { wrongOption } from "../base/option-error.js";
import type { Ask, Row } from "./statement.js";

/** A signal of a session changed, and this is the activity that says so. */
export interface SignalChange {
  readonly sessionId: string;
  /** The signal's name, for example `device_id`. */
  readonly signal: string;
  /** The value since this activity. */
  readonly value: string;
  /** The value before it. Undefined where this is the first one known. */
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

/** A time as a number: what clients make of a timestamptz differs, and a Date has no microseconds. */
const microsOf = (time: string): string => `(extract(epoch from ${time}) * 1000000)::bigint::text`;

/** Creates the queries. */
export function createQueries(ask: Ask, schema: string): SignalQueries {
  const columns = `
    c.session_id, c.signal, c.value, c.event_id, c.service, c.action, c.procedure, c.status, c.verified,
    ${microsOf("c.started_at")} as started_micros, ${microsOf("c.completed_at")} as completed_micros,
    (select p.value from ${schema}.observation p
      where p.session_id = c.session_id and p.signal = c.signal
        and (p.started_at, p.event_id) < (c.started_at, c.event_id)
      order by p.started_at desc, p.event_id desc limit 1) as previous_value`;

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
    async changes({ since, signal, after, limit = 1_000 } = {}) {
      if (since !== undefined && !isMoment(since)) throw wrongOption("since", "a valid Date", since);
      if (!(Number.isSafeInteger(limit) && limit >= 1 && limit <= maxLimit)) {
        throw wrongOption("limit", `a whole number from 1 to ${maxLimit}`, limit);
      }
      const [micros, eventId, afterSignal] = after === undefined ? [null, null, null] : readCursor(after);
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

function changeOf(row: Row): SignalChange {
  const text = (column: string): string => String(row[column]);
  return {
    sessionId: text("session_id"),
    signal: text("signal"),
    value: text("value"),
    previousValue: row["previous_value"] === null ? undefined : text("previous_value"),
    startedAt: dateOf(text("started_micros")),
    completedAt: dateOf(text("completed_micros")),
    eventId: text("event_id"),
    service: text("service"),
    action: text("action"),
    procedure: text("procedure"),
    status: text("status"),
    verified: row["verified"] === true,
    cursor: JSON.stringify([text("started_micros"), text("event_id"), text("signal")]),
  };
}

function isMoment(value: unknown): value is Date {
  return value instanceof Date && !Number.isNaN(value.getTime());
}

function dateOf(micros: string): Date {
  return new Date(Math.floor(Number(micros) / 1_000));
}

function readCursor(cursor: string): [string, string, string] {
  try {
    const parts: unknown = JSON.parse(cursor);
    const [micros, eventId, signal] = Array.isArray(parts) ? parts.map(String) : [];
    if (micros !== undefined && /^-?\d{1,17}$/.test(micros) && eventId !== undefined && signal !== undefined) {
      return [micros, eventId, signal];
    }
  } catch {
    // No JSON, no cursor.
  }
  throw wrongOption("after", "the cursor of a change", cursor);
}
