import type { TroubleLog } from "../base/log.js";
import { reasonOf } from "../history/database-failure.js";
import type { SignalDatabase } from "../history/index.js";
import type { CliTrouble } from "./cli-troubles.js";

/** A database of which it is known whether it works. */
export interface WatchedDatabase extends SignalDatabase {
  /** Whether the last statement that ended did so well. False before the first. */
  readonly answers: boolean;
  /** Rejects whatever is asked from now on. */
  stop(): void;
}

/** Watches a database: logs when it no longer works, and when it does again. */
export function watchDatabase(database: SignalDatabase, log: TroubleLog<CliTrouble>): WatchedDatabase {
  let answers: boolean | undefined;
  let stopped = false;

  function note(works: boolean, details: object): void {
    if (works && answers === false) log.warn("database_back", {}, "The database works again");
    if (!works) log.warn("database_down", details, "The database does not work: events wait in Kafka until it does");
    answers = works;
  }

  return {
    get answers() {
      return answers === true;
    },
    stop() {
      stopped = true;
    },
    async query(text, values) {
      if (stopped) throw new Error("the worker has stopped");
      try {
        const result = await database.query(text, values);
        note(true, {});
        return result;
      } catch (error) {
        note(false, reasonOf(error));
        throw error;
      }
    },
  };
}
