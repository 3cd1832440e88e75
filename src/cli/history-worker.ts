import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "../base/log.js";
import { createTroubleLog, type TroubleLog } from "../base/log.js";
import { anything, logOption, milliseconds, type OptionsOf, objectWith, readOptions } from "../base/options.js";
import { within } from "../base/within.js";
import {
  createSignalHistory,
  type SignalDatabase,
  type SignalHistory,
  type SignalHistoryOptions,
  type SignalHistoryStats,
} from "../history/index.js";
import { consumerSettings } from "../kafka/consumer/consumer-options.js";
import { watchGroup } from "../kafka/consumer/group-progress.js";
import {
  type ConsumerStats,
  createSessionActivityConsumer,
  type SessionActivityConsumer,
  type SessionActivityConsumerOptions,
} from "../kafka/index.js";
import { type Compactor, type CompactorStats, startCompactor } from "./compactor.js";
import { isRefusal, reasonOf } from "./database-failure.js";
import { watchDatabase } from "./watched-database.js";

/** Options of {@link startHistoryWorker}. */
export interface HistoryWorkerOptions {
  /** Where the history is kept. It stays open. */
  database: SignalDatabase;
  history?: Omit<SignalHistoryOptions, "database" | "log"> | undefined;
  /** What is read. Records without an event go to `deadLetterTopic`, or are logged and counted. */
  kafka: Pick<
    SessionActivityConsumerOptions,
    "brokers" | "groupId" | "topic" | "deadLetterTopic" | "properties" | "closeTimeoutMs"
  >;
  /** The longest time between two attempts while the database is away. By default, 5,000 ms. */
  maxBackoffMs?: number | undefined;
  /** About how often the history is compacted. By default, each 60,000 ms. */
  compactEveryMs?: number | undefined;
  log?: Logger | false | undefined;
}

/** The options of a worker. Those of history and consumer are checked by these. */
const workerTable: OptionsOf<{
  readonly database: SignalDatabase | undefined;
  readonly history: unknown;
  readonly kafka: unknown;
  readonly maxBackoffMs: number;
  readonly compactEveryMs: number;
  readonly log: Logger | false | undefined;
}> = {
  database: objectWith<SignalDatabase>(["query"], {
    meaning: "Where the history is kept",
    expects: "a Pool of pg, a PGlite, or what openSignalDatabase gives",
    required: true,
  }),
  history: anything({ meaning: "The options of the signal history" }),
  kafka: anything({ meaning: "The options of the consumer", required: true }),
  maxBackoffMs: milliseconds({
    meaning: "The longest time between two attempts while the database is away",
    byDefault: 5_000,
  }),
  compactEveryMs: milliseconds({ meaning: "About how often the history is compacted", byDefault: 60_000 }),
  log: logOption,
};

/** What a worker has done, and how it is. Counts only. */
export interface HistoryWorkerStats {
  /** Whether it has not ended. */
  readonly live: boolean;
  /** Whether it is a member of its group, and the last statement that the database was given succeeded. */
  readonly ready: boolean;
  /** Undefined before the database was there for the first time. */
  readonly consumer: ConsumerStats | undefined;
  readonly history: SignalHistoryStats;
  readonly compactor: CompactorStats | undefined;
}

/** Reads events from Kafka, and records what they change. */
export interface HistoryWorker {
  stats(): HistoryWorkerStats;
  /** Ends the batch that is being recorded, commits, and leaves the group. Always resolves. Idempotent. */
  close(): Promise<void>;
  /** Resolves when it is closed. Rejects when it has ended by itself, with the reason. Nobody has to look. */
  readonly closed: Promise<void>;
}

const backoffMs = 100;
/** How long a statement that is still running may hold up the end. */
const stopTimeoutMs = 5_000;

/**
 * Starts a worker: a consumer that records what it reads, in batches. An offset is committed after the database's commit, so
 * that a crash brings events twice and loses none, and the history takes each once.
 *
 * It joins its group when the database has been there once and its schema is made: a worker that cannot reach the database
 * would only keep partitions from those that can. From then on it stays a member whatever the database does: its partitions
 * wait, and each batch is tried until it is recorded.
 *
 * Throws a TypeError for wrong options.
 */
export function startHistoryWorker(options: HistoryWorkerOptions): HistoryWorker {
  const { maxBackoffMs, compactEveryMs } = readOptions("startHistoryWorker", workerTable, options);
  const log = createTroubleLog(options.log);
  const database = watchDatabase(options.database, log);
  const history = createSignalHistory({ ...options.history, database, log: options.log });
  const consumerOptions = consumerOptionsOf(options, history, log, maxBackoffMs);
  // What is wrong is told now, and not when the database is there.
  consumerSettings(consumerOptions);
  const stopping = new AbortController();
  let reading: Reading | undefined;
  let ended = false;

  async function run(): Promise<void> {
    try {
      if (!(await migrate(history, maxBackoffMs, stopping.signal))) return;
      reading = startReading(consumerOptions, history, compactEveryMs, log);
      await reading.consumer.closed;
    } finally {
      ended = true;
      database.stop();
      await within(stopTimeoutMs, reading?.stopCompacting() ?? Promise.resolve());
    }
  }

  function stats(): HistoryWorkerStats {
    const consumer = reading?.consumer.stats();
    return {
      live: !ended,
      ready: !ended && !stopping.signal.aborted && database.answers && (consumer?.joined ?? false),
      consumer,
      history: history.stats(),
      compactor: reading?.compactor.stats(),
    };
  }

  const closed = run();
  closed.catch(() => {
    // Whoever waits for it sees it; nobody has to.
  });
  return {
    closed,
    stats,
    async close() {
      stopping.abort();
      await reading?.consumer.close();
      await closed.catch(() => {});
    },
  };
}

/** What runs while the worker is a member of its group. */
interface Reading {
  readonly consumer: SessionActivityConsumer;
  readonly compactor: Compactor;
  stopCompacting(): Promise<void>;
}

function startReading(
  options: SessionActivityConsumerOptions,
  history: SignalHistory,
  everyMs: number,
  log: TroubleLog,
): Reading {
  const consumer = createSessionActivityConsumer(options);
  const progress = watchGroup(consumerSettings(options), log);
  const compactor = startCompactor({ everyMs, log, compact: history.compact, isComplete: progress.hasCaughtUp });
  return {
    consumer,
    compactor,
    async stopCompacting() {
      await compactor.stop();
      await progress.close();
    },
  };
}

function consumerOptionsOf(
  { kafka, log: logger }: HistoryWorkerOptions,
  history: SignalHistory,
  log: TroubleLog,
  maxBackoffMs: number,
): SessionActivityConsumerOptions {
  return {
    ...kafka,
    retry: { backoffMs: Math.min(backoffMs, maxBackoffMs), maxBackoffMs },
    handleBatch: (items) => history.recordBatch(items.map(({ event }) => event)),
    onInvalid:
      kafka.deadLetterTopic === undefined
        ? ({ topic, partition, offset }, reason) =>
            log.warn("invalid", { topic, partition, offset, reason }, "A record holds no event: it is left out")
        : undefined,
    log: logger,
  };
}

/**
 * Makes the schema, and tries again without limit while the database is away. Answers false where it was stopped meanwhile.
 * Rejects where the database is there and refuses.
 */
async function migrate(history: SignalHistory, maxBackoffMs: number, signal: AbortSignal): Promise<boolean> {
  const stopped = new Promise<false>((resolve) => {
    signal.addEventListener("abort", () => resolve(false), { once: true });
  });
  const attempt = async (): Promise<boolean> => {
    try {
      await history.migrate();
      return true;
    } catch (error) {
      if (!isRefusal(error)) return false;
      const { code = "", reason = "it does not say why" } = reasonOf(error);
      throw new Error(`the database refuses: ${[code, reason].join(" ").trim()}`, { cause: error });
    }
  };
  for (let wait = backoffMs; !signal.aborted; wait = Math.min(maxBackoffMs, wait * 2)) {
    if (await Promise.race([attempt(), stopped])) return !signal.aborted;
    await delay(wait, undefined, { signal }).catch(() => {});
  }
  return false;
}
