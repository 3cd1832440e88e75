import type { TroubleLog } from "../base/log.js";
import { maxInt32 } from "../base/options.js";
import { pause } from "../base/timing.js";
import { reasonOf } from "../history/database-failure.js";
import type { CliTrouble } from "./cli-troubles.js";

/** Counts of a compactor. */
export interface CompactorStats {
  readonly runs: number;
  readonly failed: number;
  /** Times that were let pass, since events were still missing. */
  readonly skipped: number;
  /** Observations removed. */
  readonly removed: number;
}

/** Compacts the history again and again, one time after another. */
export interface Compactor {
  stats(): CompactorStats;
  /** Begins no more. Resolves when the one that is running has ended. */
  stop(): Promise<void>;
}

/** What a compactor works with. */
export interface CompactorOptions {
  readonly everyMs: number;
  readonly log: TroubleLog<CliTrouble>;
  compact(): Promise<number>;
  /** Whether the history has what it should have before its past is closed. */
  isComplete(): Promise<boolean>;
}

/**
 * Starts a compactor. Several workers may have one each: the database lets one compact after another, and the second finds
 * nothing to do. They spread by chance, so that they do not wait for each other all the time.
 */
export function startCompactor({ everyMs, log, compact, isComplete }: CompactorOptions): Compactor {
  const stopping = new AbortController();
  const counts = { runs: 0, failed: 0, skipped: 0, removed: 0 };

  async function run(): Promise<void> {
    while (await pause(Math.min(maxInt32, everyMs * (0.75 + Math.random() / 2)), stopping.signal, { ref: false }))
      await once();
  }

  async function once(): Promise<void> {
    try {
      if (!(await isComplete())) {
        counts.skipped += 1;
        return;
      }
      counts.removed += await compact();
      counts.runs += 1;
    } catch (error) {
      if (stopping.signal.aborted) return;
      counts.failed += 1;
      log.warn("history_not_compacted", reasonOf(error), "The history was not compacted: it is tried again");
    }
  }

  const running = run();
  return {
    stats: () => ({ ...counts }),
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
