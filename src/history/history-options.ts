import { readFileSync } from "node:fs";
import { types } from "node:util";
import type { SessionActivityEvent } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import {
  type Environment,
  environmentOption,
  type GivenOptions,
  onTopOfEnvironment,
  type Problems,
  readVariables,
  refuse,
  variablesOf,
} from "../base/environment.js";
import type { Logger } from "../base/log.js";
import { createTroubleLog, type TroubleLog } from "../base/log.js";
import {
  callback,
  flag,
  logOption,
  milliseconds,
  type Option,
  type OptionsOf,
  objectWith,
  readOptions,
  text,
  wholeNumber,
} from "../base/options.js";
import { historyPrefix, openSignalDatabase, type SignalDatabase } from "./database.js";
import { normalizeSignal, type SessionSignals, sessionContextSignals } from "./signals.js";
import { createTombstones, type Tombstones } from "./tombstones.js";

/** Options of {@link createSignalHistory}. What is not given comes from the environment, then from the defaults. */
export interface SignalHistoryOptions {
  /**
   * Where the history is kept: a `Pool` of `pg`, a PGlite, or what `openSignalDatabase` gives. By default, what
   * `SESSION_HISTORY_DATABASE` says, or a PGlite in memory, for tests and for looking around.
   */
  database?: SignalDatabase | undefined;
  /** The schema in the database that holds everything. By default, `signal_history`. */
  schema?: string | undefined;
  /**
   * Gives the session of an event, and its signals; undefined if there is none. By default, what `encodeSessionContext`
   * made of them: see `sessionContextSignals`. Needed if the gateway has an encoding of its own.
   */
  signals?:
    | ((event: SessionActivityEvent) => SessionSignals | undefined | Promise<SessionSignals | undefined>)
    | undefined;
  /**
   * Which events may write the history. By default, those of calls that ended with OK and were not interrupted: a login that
   * failed must not change somebody's country.
   */
  accept?: ((event: SessionActivityEvent) => boolean) | undefined;
  /** Only takes events whose session context was verified, whatever `accept` says. By default, false. */
  requireVerified?: boolean | undefined;
  /**
   * Keeps activities that do not count, too, so that they can be looked for: calls that failed, and marks that are not verified.
   * They change nothing, say why they do not count, and go when they are compacted. Of what they came with, up to 16 signals are
   * kept, and none that tells of a person.
   *
   * @default false
   */
  keepAll?: boolean | undefined;
  /** Makes values alike that mean the same, before they are compared and kept. By default, see `normalizeSignal`. */
  normalize?: ((signal: string, value: string) => string) | undefined;
  /**
   * How long after its completion an event may come and still be placed, in milliseconds, by the time of the events that have
   * come; `compact` removes what is older and no longer needed. By default, 86,400,000, which is a day.
   */
  latenessMs?: number | undefined;
  /**
   * How much each of the tables `set_aside` and `late_activity` may hold, in bytes. While `set_aside` holds that much, `setAside`
   * keeps nothing more, and answers with `full`. While `late_activity` does, events that come too late are counted as `lateFull`,
   * and not kept. What was kept first stays until somebody has looked at it. All processes of a history should agree on it.
   *
   * @default 268_435_456
   */
  maxSetAsideBytes?: number | undefined;
  /**
   * The secret by which somebody who was forgotten is known again, at least 16 bytes. Needed for `forget`, and from then on
   * in every process that records. By default, what the file holds that `SESSION_HISTORY_TOMBSTONE_KEY_FILE` names, or none.
   */
  tombstoneKey?: string | Uint8Array | undefined;
  /**
   * The environment variables that stand beneath the options. `false` ignores the environment.
   *
   * @default the process's environment
   */
  env?: Environment | false | undefined;
  /** Takes warnings. By default, a line each on stderr; false silences them. */
  log?: Logger | false | undefined;
}

/** The options, checked and completed. */
export interface HistorySettings {
  readonly database: SignalDatabase;
  /** Closes what was opened here. */
  readonly close: () => Promise<void>;
  readonly schema: string;
  readonly signals: NonNullable<SignalHistoryOptions["signals"]>;
  readonly accept: NonNullable<SignalHistoryOptions["accept"]>;
  readonly requireVerified: boolean;
  readonly keepAll: boolean;
  readonly normalize: NonNullable<SignalHistoryOptions["normalize"]>;
  readonly latenessMs: number;
  readonly maxSetAsideBytes: number;
  readonly tombstones: Tombstones | undefined;
  readonly log: TroubleLog;
}

/** What the table makes, of which the settings are made. */
type GivenSettings = Omit<HistorySettings, "database" | "close" | "tombstones" | "log"> & {
  readonly database: SignalDatabase | undefined;
  readonly tombstoneKey: string | Uint8Array | undefined;
  readonly env: Environment | false | undefined;
  readonly log: Logger | false | undefined;
};

const dayMs = 86_400_000;

/** The options of the signal history. */
export const historyTable: OptionsOf<GivenSettings> = {
  database: objectWith<SignalDatabase>(["query"], {
    meaning: "Where the history is kept",
    expects: "a Pool of pg, a PGlite, or what openSignalDatabase gives",
    defaultText: "`SESSION_HISTORY_DATABASE`, or a PGlite in memory",
  }),
  schema: text({
    meaning: "The schema in the database that holds the history",
    expects: "1 to 48 of a-z, 0-9 and _, and not begin with a digit",
    byDefault: "signal_history",
    variable: "SCHEMA",
    // It stands in statements as it is.
    pattern: /^[a-z_][a-z0-9_]{0,47}$/,
  }),
  signals: callback({
    meaning: "Gives the session of an event, and its signals",
    byDefault: sessionContextSignals,
    defaultText: "those of the encoded `SessionContext`",
  }),
  accept: callback({
    meaning: "Which events may write the history",
    byDefault: isOk,
    defaultText: "those of calls that ended with `OK` and were not interrupted",
  }),
  requireVerified: flag({
    meaning: "Takes only events whose session context was verified",
    variable: "REQUIRE_VERIFIED",
  }),
  keepAll: flag({
    meaning: "Keeps activities that do not count, too, without what tells of a person and until they are compacted",
    variable: "KEEP_ALL",
  }),
  normalize: callback({
    meaning: "Makes values alike that mean the same",
    byDefault: normalizeSignal,
    defaultText: "`normalizeSignal`",
  }),
  latenessMs: milliseconds({
    meaning: "How long after its completion an event may come and still be placed",
    byDefault: dayMs,
    // No timer waits for it, so the bound of timers does not hold here. Ten years.
    max: 3_650 * dayMs,
    variable: "LATENESS_MS",
  }),
  maxSetAsideBytes: wholeNumber({
    meaning: "How much each of the tables `set_aside` and `late_activity` may hold",
    unit: "bytes",
    byDefault: 256 * 1024 * 1024,
    min: 0,
    max: 2 ** 40,
    variable: "MAX_SET_ASIDE_BYTES",
  }),
  tombstoneKey: {
    meaning: "The secret by which somebody who was forgotten is known again",
    expects: "at least 16 bytes, as a text or bytes",
    defaultText: "none",
    secret: true,
    read: (value) => (isLongEnough(value) ? value : undefined),
  },
  env: environmentOption,
  log: logOption,
};

/** The variable's way to the tombstone key: no variable holds it. */
export const tombstoneKeyFileOption: Option<Uint8Array | undefined> = {
  meaning:
    "Holds the secret by which who was forgotten is known again, at least 16 bytes; a line break at its end does not count",
  expects: "the path of a readable file with at least 16 bytes",
  defaultText: "none",
  variable: "TOMBSTONE_KEY_FILE",
  read: (value) => (typeof value === "string" ? readKey(value) : undefined),
};

const { schema, requireVerified, keepAll, latenessMs, maxSetAsideBytes } = historyTable;
const historyVariables = variablesOf(historyPrefix, {
  schema,
  requireVerified,
  keepAll,
  latenessMs,
  maxSetAsideBytes,
  tombstoneKeyFile: tombstoneKeyFileOption,
});

/** Reads the options of a history from environment variables. */
function historyFromEnv(env: Environment): GivenOptions {
  const problems: Problems = new Map();
  const { tombstoneKeyFile, ...options } = readVariables(historyVariables, env, problems);
  refuse(problems, "the signal history");
  return { ...options, tombstoneKey: tombstoneKeyFileOption.read(tombstoneKeyFile) };
}

/** Checks and completes the options, with the environment beneath. Throws an `OptionError` that names the option. */
export function historySettings(options: SignalHistoryOptions): HistorySettings {
  const all = onTopOfEnvironment(options, historyFromEnv);
  const { database, tombstoneKey, env: _, log, ...settings } = readOptions("createSignalHistory", historyTable, all);
  return {
    ...settings,
    ...ownOrGiven(database, options.env),
    tombstones: tombstoneKey === undefined ? undefined : createTombstones(tombstoneKey),
    log: createTroubleLog(log),
  };
}

function ownOrGiven(
  database: SignalDatabase | undefined,
  env: SignalHistoryOptions["env"],
): Pick<HistorySettings, "database" | "close"> {
  if (database !== undefined) return { database, close: () => Promise.resolve() };
  const own = openSignalDatabase({ env });
  return { database: own, close: () => own.close() };
}

function readKey(file: string): Uint8Array | undefined {
  try {
    const bytes = readFileSync(file);
    const end = bytes.at(-1) === 10 ? (bytes.at(-2) === 13 ? -2 : -1) : bytes.length;
    const key = bytes.subarray(0, end);
    return isLongEnough(key) ? key : undefined;
  } catch {
    return undefined;
  }
}

function isLongEnough(key: unknown): key is string | Uint8Array {
  if (typeof key === "string") return Buffer.byteLength(key) >= 16;
  return types.isUint8Array(key) && key.length >= 16;
}

function isOk({ status, interrupted }: SessionActivityEvent): boolean {
  return status === "OK" && !interrupted;
}
