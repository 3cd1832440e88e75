import type { SessionActivityEvent } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import type { Logger } from "../base/log.js";
import { createTroubleLog, type TroubleLog } from "../base/log.js";
import { readLog, readMs, wrongOption } from "../base/option-checks.js";
import { openSignalDatabase, type SignalDatabase } from "./database.js";
import { normalizeSignal, type SessionSignals, sessionContextSignals } from "./signals.js";
import { createTombstones, type Tombstones } from "./tombstones.js";

/** Options of {@link createSignalHistory}. */
export interface SignalHistoryOptions {
  /**
   * Where the history is kept: a `Pool` of `pg`, a PGlite, or what `openSignalDatabase` gives. By default, a PGlite in memory,
   * for tests and for looking around.
   */
  database?: SignalDatabase | undefined;
  /** The schema in the database that holds everything. By default, `signal_history`. */
  schema?: string | undefined;
  /**
   * Gives the session of an event, and its signals; undefined where there is none. By default, what `encodeSessionContext`
   * made of them: see `sessionContextSignals`. Needed where the gateway has an encoding of its own.
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
  /** Makes values alike that mean the same, before they are compared and kept. By default, see `normalizeSignal`. */
  normalize?: ((signal: string, value: string) => string) | undefined;
  /**
   * How long after its completion an event may come and still be placed, in milliseconds, by the time of the events that have
   * come; `compact` removes what is older and no longer needed. By default, 86,400,000, which is a day.
   */
  latenessMs?: number | undefined;
  /**
   * The secret by which somebody who was forgotten is known again, at least 16 bytes. Needed for `forget`, and from then on
   * in every process that records. By default, none.
   */
  tombstoneKey?: string | Uint8Array | undefined;
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
  readonly normalize: NonNullable<SignalHistoryOptions["normalize"]>;
  readonly latenessMs: number;
  readonly tombstones: Tombstones | undefined;
  readonly log: TroubleLog;
}

const dayMs = 86_400_000;

/** Checks and completes the options. Throws a TypeError that names the option. */
export function historySettings(options: SignalHistoryOptions): HistorySettings {
  const { schema = "signal_history", requireVerified = false, tombstoneKey } = options;
  const { signals = sessionContextSignals, accept = isOk, normalize = normalizeSignal } = options;
  // It stands in statements as it is.
  if (typeof schema !== "string" || !/^[a-z_][a-z0-9_]{0,47}$/.test(schema)) {
    throw wrongOption("schema", "1 to 48 of a-z, 0-9 and _, and not begin with a digit", schema);
  }
  for (const [name, value] of Object.entries({ signals, accept, normalize })) {
    if (typeof value !== "function") throw wrongOption(name, "a function", value);
  }
  if (typeof requireVerified !== "boolean") throw wrongOption("requireVerified", "true or false", requireVerified);
  const log = createTroubleLog(readLog(options.log));
  const latenessMs = readMs("latenessMs", options.latenessMs, dayMs);
  const tombstones = tombstoneKey === undefined ? undefined : createTombstones(readKey(tombstoneKey));
  return {
    ...readDatabase(options.database),
    schema,
    signals,
    accept,
    requireVerified,
    normalize,
    latenessMs,
    tombstones,
    log,
  };
}

function readDatabase(database: SignalDatabase | undefined): Pick<HistorySettings, "database" | "close"> {
  if (database === undefined) {
    const embedded = openSignalDatabase();
    return { database: embedded, close: () => embedded.close() };
  }
  if (typeof database?.query !== "function") throw wrongOption("database", "something with a method query", database);
  return { database, close: () => Promise.resolve() };
}

function readKey(key: string | Uint8Array): string | Uint8Array {
  const bytes = typeof key === "string" ? Buffer.byteLength(key) : key instanceof Uint8Array ? key.length : 0;
  // The message must not hold the key.
  if (bytes < 16) throw wrongOption("tombstoneKey", "at least 16 bytes, as a string or bytes", `${bytes} of them`);
  return key;
}

function isOk({ status, interrupted }: SessionActivityEvent): boolean {
  return status === "OK" && !interrupted;
}
