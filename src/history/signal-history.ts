import type { SessionActivityEvent } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { errorCode } from "../base/errors.js";
import { withFailure } from "../base/failure.js";
import type { TroubleLog } from "../base/log.js";
import { wrongOption } from "../base/option-error.js";
import { classified } from "./database-failure.js";
import { type HistorySettings, historySettings, type SignalHistoryOptions } from "./history-options.js";
import type { HistoryTrouble } from "./history-troubles.js";
import { createQueries, type SignalChange, type SignalPageQuery, type SignalQueries, toldChanges } from "./queries.js";
import { type Activity, activityOf, type NotRecordedReason, type RecordedActivity } from "./recorded-activity.js";
import { migrateStatement } from "./schema.js";
import {
  createSetAsideTable,
  type RecordToSetAside,
  type RetriedRecords,
  type SetAsideOutcome,
  type SetAsideRecord,
} from "./set-aside-records.js";
import { type Ask, createAsk, type Row } from "./statement.js";
import { idOf } from "./stored-text.js";

/**
 * Why an event was set aside, into the table `late_activity`.
 *
 * - `late`: it came after the compactor had closed the time of its completion
 * - `conflicting`: it began in a time that was compacted, and contradicts what was there, so that nobody can say any more
 *   which activity followed it
 * - `ahead`: it began more than a day after the database's present
 */
export type LateReason = "late" | "conflicting" | "ahead";

/** Counts of a signal history since its creation, in this process. */
export interface SignalHistoryStats {
  /** Events recorded. */
  readonly recorded: number;
  /** Changes that they made. */
  readonly changed: number;
  /** Events that were there already, or that say again what was compacted. */
  readonly duplicates: number;
  /** Events set aside, by reason. */
  readonly late: Readonly<Partial<Record<LateReason, number>>>;
  /** Of these, the events that were not kept, since that table is full. */
  readonly lateFull: number;
  /** Events of sessions or users that were forgotten. */
  readonly forgotten: number;
  /** Events recorded that say a signal twice, with different values. */
  readonly ambiguous: number;
  /** Signals that were left out of recorded events, since an event had more than 64. */
  readonly leftOut: number;
  /** Records set aside, into the table `set_aside`. */
  readonly setAside: number;
  /** Records that were not set aside, since that table is full. */
  readonly setAsideFull: number;
  /** Events that are not for the history, by reason. */
  readonly notRecorded: Readonly<Partial<Record<NotRecordedReason, number>>>;
}

/** What to forget: one session, or everything about one user. */
export type ForgetRequest = { readonly sessionId: string } | { readonly userId: string };

/** A history of what changed in sessions, and of the activities that changed it. */
export interface SignalHistory extends SignalQueries {
  /**
   * Creates what the database needs, or brings it up to date. Safe to call from several processes at once. Rejects if the
   * database was made by a newer version of this package.
   */
  migrate(): Promise<void>;
  /**
   * Records an event: fits a consumer's `handle`. In whatever order events come, and however often, the history is the same.
   *
   * Answers with the changes that the event triggered, as far as they are known now, in the order of their signals. An event
   * that was recorded before answers with its changes again, so that a reader which ended before it could act on them can.
   */
  record(event: SessionActivityEvent): Promise<readonly SignalChange[]>;
  /**
   * Records some in one transaction for each 500: all of those, or, if it rejects, none. Much faster than one by one.
   *
   * Answers with the changes that these events triggered, in the order of the calls' starts.
   */
  recordBatch(events: readonly SessionActivityEvent[]): Promise<readonly SignalChange[]>;
  /** Removes what is older than `latenessMs` and no longer needed. Answers with the number of observations removed. */
  compact(): Promise<number>;
  /**
   * Erases a session, or all sessions that a user was seen in, and sees to it that a replay of their events does not bring them
   * back. Answers with what was erased.
   *
   * This happens in slices, each a transaction of its own, so that nobody waits long meanwhile. If it rejects amid them, call
   * it again: it goes on where it was.
   */
  forget(request: ForgetRequest): Promise<{ readonly sessions: number; readonly changes: number }>;
  /**
   * Sets a record aside that cannot be recorded, so that whoever reads the topic can go on. Setting the same record aside again
   * changes nothing. `reason` must not quote the event.
   *
   * Answers with what became of it. `full` says that it is not kept, since what was set aside takes `maxSetAsideBytes`: whoever
   * sets it aside has to keep it elsewhere, or to count it as lost.
   *
   * The record's bytes are kept if the history can tell whose they are, so that `forget` reaches them, and up to 1 MiB.
   */
  setAside(record: RecordToSetAside, reason: string): Promise<SetAsideOutcome>;
  /** What was set aside, in the order in which it was. */
  listSetAside(page?: SignalPageQuery): Promise<SetAsideRecord[]>;
  /**
   * Tries to record again what was set aside, a page of it. What is recorded is set aside no more.
   *
   * @example
   * let cursor: string | undefined;
   * do ({ cursor } = await history.retrySetAside({ after: cursor })); while (cursor !== undefined);
   */
  retrySetAside(page?: SignalPageQuery): Promise<RetriedRecords>;
  /** The counts at this moment. */
  stats(): SignalHistoryStats;
  /** Closes the embedded database, if that is used. One that was given stays open. */
  close(): Promise<void>;
}

/** What recording answers with. */
const storedColumns = [
  "recorded",
  "changed",
  "duplicate",
  "forgotten",
  "late",
  "conflicting",
  "ahead",
  "late_full",
  "changes",
];
/** So many at once: enough to be fast, few enough for PostgreSQL's table of locks with eight writers. */
const batchSize = 500;
const uniqueViolation = "23505";
/** Nobody records while these are compacted. */
const compactedAtOnce = 5_000;
/** Nor while these are forgotten. */
const rowsAtOnce = 5_000;
const sessionsAtOnce = 500;

/**
 * Creates a signal history. It connects to the database when it is first needed.
 *
 * Throws a TypeError for options that are wrong. Its methods reject if the database does. The error is the database's,
 * and its property `failure` says what it calls for: `passing` (try again), `permanent` (somebody has to act), or `poison` (an
 * event in the batch cannot be recorded, and the others can). A consumer's handler may throw it as it is.
 */
export function createSignalHistory(options: SignalHistoryOptions = {}): SignalHistory {
  const settings = historySettings(options);
  const { database, schema, tombstones } = settings;
  const log: TroubleLog<HistoryTrouble> = settings.log;
  const ask = createAsk(database, schema);
  const counts = {
    recorded: 0,
    changed: 0,
    duplicates: 0,
    lateFull: 0,
    forgotten: 0,
    ambiguous: 0,
    leftOut: 0,
    setAside: 0,
    setAsideFull: 0,
  };
  const late: Partial<Record<LateReason, number>> = {};
  const notRecorded: Partial<Record<NotRecordedReason, number>> = {};
  const asideTable = createSetAsideTable(ask, settings, (event) => recordBatch([event]));

  async function recordBatch(events: readonly SessionActivityEvent[]): Promise<readonly SignalChange[]> {
    const told: string[] = [];
    // In their order, so that what one part answers with is not changed by the next one.
    const inOrder = events.length > batchSize ? events.toSorted(compareStarts) : events;
    for (let start = 0; start < inOrder.length; start += batchSize) {
      told.push(...(await recordSome(inOrder.slice(start, start + batchSize))));
    }
    return toldChanges(told);
  }

  /** Answers with the changes as JSON, if there are any. */
  async function recordSome(events: readonly SessionActivityEvent[]): Promise<string[]> {
    const found = await Promise.all(events.map((event) => activityOf(event, settings)));
    const activities = found.flatMap((one) => (one.kind === "activity" ? [one.activity] : []));
    const byId = new Map(activities.toReversed().map((activity) => [activity.event_id, activity]));
    const stored = byId.size > 0 ? await store([...byId.values()]) : undefined;
    if (stored !== undefined) count(stored, activities.length - byId.size);
    // Counted last: a batch that failed comes again.
    for (const one of found) {
      if (one.kind === "not_recorded") skip(one.reason);
      else noteOddities(one);
    }
    const changes = stored?.["changes"];
    return typeof changes === "string" ? [changes] : [];
  }

  async function store(activities: readonly Activity[]): Promise<Row> {
    // As texts: what clients make of numbers and JSON differs, and is for their users to set.
    const { maxSetAsideBytes } = settings;
    const statement = `select ${storedColumns.map((name) => `r.${name}::text as ${name}`).join(", ")}
      from ${schema}.record_activities_7($1::text::jsonb, $2, $3::text::bigint) r`;
    const values = [JSON.stringify(activities), tombstones?.keyId ?? null, String(maxSetAsideBytes)];
    const rows = await ask(statement, values).catch((error: unknown) => {
      if (errorCode(error) !== uniqueViolation) throw error;
      // An event with the same id came at the same time in another session: by now it is known.
      return ask(statement, values);
    });
    return rows[0] ?? {};
  }

  function count(stored: Row, twice: number): void {
    counts.recorded += Number(stored["recorded"]);
    counts.changed += Number(stored["changed"]);
    counts.duplicates += Number(stored["duplicate"]) + twice;
    counts.forgotten += Number(stored["forgotten"]);
    for (const reason of ["late", "conflicting", "ahead"] as const) {
      const number = Number(stored[reason]);
      if (number === 0) continue;
      late[reason] = (late[reason] ?? 0) + number;
      log.warn(
        `event_${reason}`,
        { reason, events: number },
        `events could not be placed: they are in ${schema}.late_activity`,
      );
    }
    countLateFull(Number(stored["late_full"]));
  }

  function countLateFull(events: number): void {
    if (events === 0) return;
    counts.lateFull += events;
    log.error(
      "late_full",
      { events },
      `${schema}.late_activity is full: events that come too late are not kept until it has room; delete what you have looked at, or raise maxSetAsideBytes`,
    );
  }

  async function setAside(record: RecordToSetAside, reason: string): Promise<SetAsideOutcome> {
    const outcome = await asideTable.add(record, reason);
    if (outcome === "set_aside") counts.setAside += 1;
    if (outcome === "forgotten") counts.forgotten += 1;
    if (outcome === "full") {
      counts.setAsideFull += 1;
      const { topic, partition, offset } = record;
      log.error(
        "set_aside_full",
        { topic, partition, offset, reason },
        `${schema}.set_aside is full: records are not set aside there until it has room; list and retry what is in it, or raise maxSetAsideBytes`,
      );
    }
    return outcome;
  }

  function noteOddities({ isAmbiguous, leftOut }: Extract<RecordedActivity, { readonly kind: "activity" }>): void {
    if (isAmbiguous) noteAmbiguous();
    if (leftOut === 0) return;
    counts.leftOut += leftOut;
    log.warn("signals_left_out", { signals: leftOut }, "an event has more than 64 signals: the first 64 are recorded");
  }

  function noteAmbiguous(): void {
    counts.ambiguous += 1;
    log.warn(
      "signal_ambiguous",
      {},
      "a session context says a signal twice, as a field and in its signals, with different values: the field counts",
    );
  }

  function skip(reason: NotRecordedReason): void {
    notRecorded[reason] = (notRecorded[reason] ?? 0) + 1;
    if (reason === "error")
      log.warn("event_error", {}, "accept, signals or normalize failed for an event: it is not recorded");
    if (reason === "invalid") log.warn("event_invalid", {}, "an event has no id, or no time that can be recorded");
  }

  return {
    ...classified({
      ...createQueries(ask, schema),
      async migrate(): Promise<void> {
        await database.query(migrateStatement(schema));
      },
      record: (event: SessionActivityEvent) => recordBatch([event]),
      recordBatch,
      compact: () => compact(ask, settings),
      forget: (request: ForgetRequest) => forget(ask, settings, request),
      setAside,
      listSetAside: async (page?: SignalPageQuery) => asideTable.list(page),
      retrySetAside: (page?: SignalPageQuery) => asideTable.retry(page),
    }),
    stats: () => ({ ...counts, late: { ...late }, notRecorded: { ...notRecorded } }),
    close: settings.close,
  };
}

function compareStarts(a: SessionActivityEvent, b: SessionActivityEvent): number {
  const [one, other] = [a.startedAt, b.startedAt];
  const seconds = Number((one?.seconds ?? 0n) - (other?.seconds ?? 0n));
  return seconds === 0 ? (one?.nanos ?? 0) - (other?.nanos ?? 0) : seconds;
}

async function compact(ask: Ask, { schema, latenessMs }: HistorySettings): Promise<number> {
  // Not a text such as "3456000000 milliseconds": before PostgreSQL 15, its number must fit into 32 bits.
  const statement = `select removed::text as removed, is_done::text as is_done
    from ${schema}.compact_3(make_interval(secs => $1::float8), $2)`;
  let removed = 0;
  for (;;) {
    const [step] = await ask(statement, [latenessMs / 1_000, compactedAtOnce]);
    removed += Number(step?.["removed"]);
    if (step?.["is_done"] !== "false") return removed;
  }
}

async function forget(
  ask: Ask,
  { schema, tombstones }: HistorySettings,
  request: ForgetRequest,
): Promise<{ readonly sessions: number; readonly changes: number }> {
  const [kind, id] = readRequest(request);
  if (tombstones === undefined) {
    throw withFailure(
      new Error("forget needs the option tombstoneKey: without it, a replay of the topic would bring everything back"),
      "permanent",
    );
  }
  const user = kind === "userId" ? idOf(id) : null;
  const statement = `select f.changes::text as changes, f.is_done::text as is_done, to_json(f.further_sessions)::text as further
    from ${schema}.forget_slice($1, $2, $3, $4, $5, $6) f`;
  const total = { sessions: 0, changes: 0 };
  let sessions = user === null ? [idOf(id)] : [];
  for (;;) {
    const marks = tombstones.marksOf(sessions, user);
    const [step] = await ask(statement, [sessions, user, marks, tombstones.keyId, rowsAtOnce, sessionsAtOnce]);
    total.changes += Number(step?.["changes"]);
    if (step?.["is_done"] === "false") continue;
    total.sessions += sessions.length;
    sessions = JSON.parse(String(step?.["further"]));
    if (sessions.length === 0) return total;
  }
}

function readRequest(request: ForgetRequest): ["sessionId" | "userId", string] {
  const entries = Object.entries(request ?? {});
  const [entry] = entries;
  if (entries.length === 1 && entry !== undefined) {
    const [kind, id]: [string, unknown] = entry;
    if ((kind === "sessionId" || kind === "userId") && typeof id === "string" && id !== "") return [kind, id];
  }
  throw wrongOption("forget's argument", "{ sessionId } or { userId }, a text that is not empty", request);
}
