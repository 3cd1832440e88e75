import type { TroubleLog } from "../base/log.js";
import { classifyFailure, reasonOf } from "../history/database-failure.js";
import type { SignalDatabase } from "../history/index.js";
import type { CliTrouble } from "./cli-troubles.js";
import { describeRefusal } from "./database-refusal.js";

/**
 * How a database is.
 *
 * - `unknown`: it was not asked yet
 * - `works`: the last statement that ended was answered; one of poison was, too
 * - `away`: it cannot be reached, or says that it will be back
 * - `refuses`: it says no until somebody acts
 */
export type DatabaseState = "unknown" | "works" | "away" | "refuses";

/** What a database was asked, and how long it took. */
export interface DatabaseStats {
  /** Statements that have ended. */
  readonly statements: number;
  /** Of those, how many failed. */
  readonly failed: number;
  /** How long they took together, in milliseconds. Several at once count several times. */
  readonly timeMs: number;
  /** For how long the oldest statement that it has not answered is in hand, in milliseconds. 0 if there is none. */
  readonly oldestInHandMs: number;
}

/** A database of which it is known how it is. */
export interface WatchedDatabase extends SignalDatabase {
  readonly state: DatabaseState;
  /** What it said when it last refused, and what to do about it. */
  readonly refusal: string | undefined;
  /** How long the oldest statement that it has not answered is in hand, in milliseconds. 0 if there is none. */
  readonly oldestInHandMs: number;
  /** The counts at this moment. */
  stats(): DatabaseStats;
  /** Rejects whatever is asked from now on. */
  stop(): void;
}

/** Watches a database: logs when it no longer works, when it does again, and when a statement does not settle. */
export function watchDatabase(
  database: SignalDatabase,
  { stuckAfterMs, log }: { readonly stuckAfterMs: number; readonly log: TroubleLog<CliTrouble> },
): WatchedDatabase {
  const inHand = new Set<{ readonly sinceMs: number }>();
  let state: DatabaseState = "unknown";
  let refusal: string | undefined;
  let stopped = false;
  let statements = 0;
  let failed = 0;
  let timeMs = 0;

  function noteAnswer(): void {
    if (state === "away" || state === "refuses") log.warn("database_back", {}, "The database works again");
    state = "works";
  }

  function noteFailure(error: unknown): void {
    failed += 1;
    const failure = classifyFailure(error);
    // It works, and does not take one of the events.
    if (failure === "poison") {
      noteAnswer();
      return;
    }
    const details = reasonOf(error);
    if (failure === "passing") {
      log.warn("database_down", details, "The database does not work: events wait in Kafka until it does");
      state = "away";
      return;
    }
    refusal = describeRefusal(error);
    log.error(
      "database_refuses",
      details,
      `The database refuses: events wait in Kafka until somebody acts: ${refusal}`,
    );
    state = "refuses";
  }

  async function watched<T>(statement: Promise<T>): Promise<T> {
    const entry = { sinceMs: performance.now() };
    inHand.add(entry);
    const report = (): void =>
      log.warn(
        "database_stuck",
        { forMs: stuckAfterMs },
        "The database has not answered a statement: events wait in Kafka",
      );
    const timer = setTimeout(report, stuckAfterMs).unref();
    try {
      return await statement;
    } finally {
      clearTimeout(timer);
      inHand.delete(entry);
      statements += 1;
      timeMs += performance.now() - entry.sinceMs;
    }
  }

  function oldestInHandMs(): number {
    const now = performance.now();
    return [...inHand].reduce((oldest, { sinceMs }) => Math.max(oldest, now - sinceMs), 0);
  }

  return {
    get state() {
      return state;
    },
    get refusal() {
      return refusal;
    },
    get oldestInHandMs() {
      return oldestInHandMs();
    },
    stats: () => ({ statements, failed, timeMs: Math.round(timeMs), oldestInHandMs: Math.round(oldestInHandMs()) }),
    stop() {
      stopped = true;
    },
    async query(text, values) {
      if (stopped) throw new Error("the worker has stopped");
      try {
        const result = await watched(database.query(text, values));
        noteAnswer();
        return result;
      } catch (error) {
        noteFailure(error);
        throw error;
      }
    },
  };
}
