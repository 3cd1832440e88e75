import { type ConsumerCounts, consumerInstruments } from "./consumer-instruments.js";
import { byReason, type Counts, type Instrument, problemsNow, seconds, single } from "./instrument.js";

/** What is read of a history worker's `stats()`. */
export interface WorkerCounts {
  readonly ready: boolean;
  readonly problems: readonly string[];
  /** Undefined before the database was there for the first time. */
  readonly consumer: ConsumerCounts | undefined;
  readonly history: {
    readonly recorded: number;
    readonly changed: number;
    readonly duplicates: number;
    readonly late: Counts;
    readonly forgotten: number;
    readonly setAside: number;
    readonly notRecorded: Counts;
  };
  readonly database: {
    readonly statements: number;
    readonly failed: number;
    readonly timeMs: number;
    readonly oldestInHandMs: number;
  };
}

/** Why a history sets an event aside, and why it leaves one out. A test holds these to the history's types. */
export const lateReasons = { late: 0, conflicting: 0, ahead: 0 } as const;
export const notRecordedReasons = { not_accepted: 0, no_session: 0, no_signals: 0, invalid: 0, error: 0 } as const;

/** What keeps a worker from its work. A test holds this to the worker's type. */
export const workerProblems = {
  stopping: 0,
  database_away: 0,
  database_refuses: 0,
  database_stuck: 0,
  not_joined: 0,
  read_blocked: 0,
  handler_blocked: 0,
  set_aside_blocked: 0,
  standstill: 0,
} as const;

type WorkerInstrument = Instrument<WorkerCounts>;

const historyInstruments: readonly WorkerInstrument[] = [
  single(
    "counter",
    { name: "session_activity.history.recorded", unit: "{event}", description: "Events recorded" },
    ({ history }) => history.recorded,
  ),
  single(
    "counter",
    { name: "session_activity.history.changed", unit: "{change}", description: "Changes that they made" },
    ({ history }) => history.changed,
  ),
  single(
    "counter",
    {
      name: "session_activity.history.duplicate",
      unit: "{event}",
      description: "Events that were there already, or that say again what was compacted",
    },
    ({ history }) => history.duplicates,
  ),
  byReason(
    {
      name: "session_activity.history.late",
      unit: "{event}",
      description: "Events that could not be placed, and are in `late_activity`",
    },
    lateReasons,
    ({ history }) => history.late,
  ),
  single(
    "counter",
    {
      name: "session_activity.history.forgotten",
      unit: "{event}",
      description: "Events of sessions or users that were forgotten",
    },
    ({ history }) => history.forgotten,
  ),
  single(
    "counter",
    {
      name: "session_activity.history.set_aside",
      unit: "{event}",
      description: "Events that the database can never take, and that are in `set_aside`",
    },
    ({ history }) => history.setAside,
  ),
  byReason(
    {
      name: "session_activity.history.not_recorded",
      unit: "{event}",
      description: "Events that are not for the history",
    },
    notRecordedReasons,
    ({ history }) => history.notRecorded,
  ),
];

const databaseInstruments: readonly WorkerInstrument[] = [
  single(
    "counter",
    {
      name: "session_activity.database.statement.ended",
      unit: "{statement}",
      description: "Statements that the database has answered, or that failed",
    },
    ({ database }) => database.statements,
  ),
  single(
    "counter",
    {
      name: "session_activity.database.statement.failed",
      unit: "{statement}",
      description: "Of those, statements that failed",
    },
    ({ database }) => database.failed,
  ),
  single(
    "counter",
    {
      name: "session_activity.database.time",
      unit: "s",
      description: "Time spent in statements that have ended; several at once count several times",
    },
    ({ database }) => seconds(database.timeMs),
  ),
  single(
    "gauge",
    {
      name: "session_activity.database.oldest.age",
      unit: "s",
      description: "For how long the oldest statement has not been answered; 0 if none is open",
    },
    ({ database }) => seconds(database.oldestInHandMs),
  ),
];

function ofConsumer(instrument: Instrument<ConsumerCounts>): WorkerInstrument {
  return { ...instrument, read: ({ consumer }) => (consumer === undefined ? [] : instrument.read(consumer)) };
}

/** What is observed of a history worker only. */
const ownInstruments: readonly WorkerInstrument[] = [
  ...historyInstruments,
  ...databaseInstruments,
  single(
    "updown_counter",
    {
      name: "session_activity.worker.ready",
      unit: "{worker}",
      description: "1 if the worker does its work, else 0",
    },
    ({ ready }) => Number(ready),
  ),
  problemsNow(
    {
      name: "session_activity.worker.problem",
      unit: "{worker}",
      description: "1 as long as this keeps the worker from its work, else 0",
    },
    workerProblems,
    ({ problems }) => problems,
  ),
];

/** All that is observed of a history worker, its consumer included. */
export const workerInstruments: readonly WorkerInstrument[] = [
  ...consumerInstruments.map(ofConsumer),
  ...ownInstruments,
];
