import { onTopOfEnvironment, processEnvironment } from "../base/environment.js";
import { errorCode, errorName } from "../base/errors.js";
import { failureOf } from "../base/failure.js";
import { createTroubleLog, type TroubleLog } from "../base/log.js";
import { missingOption } from "../base/option-error.js";
import { readOptions } from "../base/options.js";
import { pause, resolvesWithin } from "../base/timing.js";
import { databaseTable } from "../history/database.js";
import { isRefusal } from "../history/database-failure.js";
import {
  createSignalHistory,
  type OpenSignalDatabase,
  openSignalDatabase,
  type SignalDatabase,
  type SignalHistory,
  type SignalHistoryStats,
} from "../history/index.js";
import { loadKafkaClient } from "../kafka/client/kafka-client.js";
import type { KafkaTrouble } from "../kafka/client/kafka-troubles.js";
import { consumerSettings } from "../kafka/consumer/consumer-settings.js";
import { watchGroup } from "../kafka/consumer/group-progress.js";
import {
  type ConsumerStats,
  createSessionActivityConsumer,
  type SessionActivityConsumer,
  type SessionActivityConsumerOptions,
  type SessionActivityItem,
} from "../kafka/index.js";
import { prometheusText, targetInfoText } from "../telemetry/prometheus-text.js";
import { workerInstruments } from "../telemetry/worker-instruments.js";
import type { CliTrouble } from "./cli-troubles.js";
import { type Compactor, type CompactorStats, startCompactor } from "./compactor.js";
import { describeRefusal } from "./database-refusal.js";
import { type Health, startHealth } from "./health.js";
import { type DatabaseStats, watchDatabase } from "./watched-database.js";
import { type HistoryWorkerOptions, type WorkerSettings, workerFromEnv, workerTable } from "./worker-options.js";
import { problemsOf, reasonToEnd, type WorkerProblem, watchForBlocks } from "./worker-problems.js";
import { resourceOf } from "./worker-resource.js";

/** What a worker has done, and how it is. Counts only. */
export interface HistoryWorkerStats {
  /** Whether it has not ended. */
  readonly live: boolean;
  /** Whether it does its work: there are no problems. */
  readonly ready: boolean;
  /** What keeps it from its work now. */
  readonly problems: readonly WorkerProblem[];
  /** Undefined before the database was there for the first time. */
  readonly consumer: ConsumerStats | undefined;
  readonly history: SignalHistoryStats;
  /** What the database was asked. */
  readonly database: DatabaseStats;
  readonly compactor: CompactorStats | undefined;
}

/** Reads events from Kafka, and records what they change. */
export interface HistoryWorker {
  stats(): HistoryWorkerStats;
  /** Ends the batch that is being recorded, commits, and leaves the group. Always resolves. Idempotent. */
  close(): Promise<void>;
  /**
   * Resolves when it is closed. Rejects when it has ended by itself, with the reason: it was refused at the start, or for
   * `giveUpAfterMs` without a break. Nobody has to look.
   */
  readonly closed: Promise<void>;
  /** Resolves when the health endpoint listens, with its port. Undefined without one, or if the worker ended before. */
  readonly healthPort: Promise<number | undefined>;
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
 * Throws an `OptionError` for wrong options.
 */
export function startHistoryWorker(options: HistoryWorkerOptions = {}): HistoryWorker {
  const settings = workerSettings(options);
  const { maxBackoffMs, compactEveryMs, giveUpAfterMs, stuckAfterMs } = settings;
  const log = createTroubleLog<CliTrouble | KafkaTrouble>(settings.log);
  const database = watchDatabase(settings.database, { stuckAfterMs, log });
  const history = createSignalHistory({ ...settings.history, database, env: false, log: settings.log });
  const consumerOptions = consumerOptionsOf(settings, history, log);
  // What is wrong is told now, and not when the database is there.
  consumerSettings(consumerOptions);
  loadKafkaClient();
  const stopping = new AbortController();
  let reading: Reading | undefined;
  let ended = false;

  async function run(): Promise<void> {
    try {
      if (!(await migrate(history, maxBackoffMs, stopping.signal))) return;
      reading = startReading(consumerOptions, history, compactEveryMs, log);
      await untilClosedOrBlocked(reading.consumer);
    } finally {
      ended = true;
      database.stop();
      await resolvesWithin(stopTimeoutMs, reading?.stopCompacting() ?? Promise.resolve());
      await settings.close();
    }
  }

  async function untilClosedOrBlocked(consumer: SessionActivityConsumer): Promise<void> {
    const blocks = watchForBlocks(giveUpAfterMs, () => stats().problems);
    try {
      const problems = await Promise.race([consumer.closed.then(() => []), blocks.givenUp]);
      if (problems.length === 0) return;
      await consumer.close();
      const lasted = `${giveUpAfterMs / 1_000} s`;
      throw new Error(`refused for ${lasted}: ${reasonToEnd(problems, database.refusal)}`);
    } finally {
      blocks.stop();
    }
  }

  function stats(): HistoryWorkerStats {
    const consumer = reading?.consumer.stats();
    const isStopping = ended || stopping.signal.aborted;
    const problems = problemsOf({ isStopping, database, consumer, stuckAfterMs });
    return {
      live: !ended,
      ready: problems.length === 0,
      problems,
      consumer,
      history: history.stats(),
      database: database.stats(),
      compactor: reading?.compactor.stats(),
    };
  }

  async function stop(): Promise<void> {
    stopping.abort();
    await reading?.consumer.close();
  }

  const health = startHealthOf(settings, stats);
  const closed = withHealth(run(), health, stop);
  closed.catch(() => {
    // Whoever waits for it sees it; nobody has to.
  });
  return {
    closed,
    healthPort: health.then(
      (endpoint) => endpoint?.port,
      () => undefined,
    ),
    stats,
    async close() {
      await stop();
      await closed.catch(() => {});
    },
  };
}

function startHealthOf({ health }: WorkerSettings, stats: () => HistoryWorkerStats): Promise<Health | undefined> {
  const { port, host } = health;
  if (port === undefined) return Promise.resolve(undefined);
  const target = targetInfoText(resourceOf(processEnvironment));
  return startHealth({ port, host }, stats, () => target + prometheusText(workerInstruments, stats()));
}

/** Answers about health until the work has ended. If the endpoint cannot listen, the work ends, and that is the reason. */
async function withHealth(
  work: Promise<void>,
  health: Promise<Health | undefined>,
  stop: () => Promise<void>,
): Promise<void> {
  work.catch(() => {
    // Waited for below.
  });
  try {
    const endpoint = await health;
    try {
      await work;
    } finally {
      await endpoint?.close();
    }
  } catch (error) {
    await stop();
    await work.catch(() => {});
    throw error;
  }
}

/** The options on top of the environment, checked and completed, and a database. */
function workerSettings(
  options: HistoryWorkerOptions,
): WorkerSettings & { readonly database: SignalDatabase; close(): Promise<void> } {
  let address = readOptions("openSignalDatabase", databaseTable, {});
  const all = onTopOfEnvironment(options, (env) => {
    const beneath = workerFromEnv(env);
    address = beneath.address;
    return beneath.options;
  });
  const { database, ...settings } = readOptions("startHistoryWorker", workerTable, all);
  if (settings.health.host !== undefined && settings.health.port === undefined) {
    throw missingOption("health.port", "a port from 0 to 65535", "since health.host is");
  }
  if (database !== undefined) return { ...settings, database, close: () => Promise.resolve() };
  if (address.url === undefined) {
    const instead = settings.env === false ? "" : "or the variable SESSION_HISTORY_DATABASE";
    const because = `${instead === "" ? "since" : `${instead}:`} a history in memory would end with this process`;
    throw missingOption("database", workerTable.database.expects, because);
  }
  const own = openSignalDatabase({ ...address, env: false });
  return { ...settings, database: own, close: () => closeDatabase(own) };
}

/** How long the database may take to close. */
const closeTimeoutMs = 5_000;

/** Closes a database. One that could not be opened cannot be closed, either. */
export async function closeDatabase(database: OpenSignalDatabase): Promise<void> {
  await resolvesWithin(closeTimeoutMs, database.close()).catch(() => {});
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
  log: TroubleLog<CliTrouble | KafkaTrouble>,
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
  { kafka, maxBackoffMs, stuckAfterMs, log: logger }: WorkerSettings,
  history: SignalHistory,
  log: TroubleLog<CliTrouble>,
): SessionActivityConsumerOptions {
  return {
    ...kafka,
    stuckAfterMs,
    retry: { backoffMs: Math.min(backoffMs, maxBackoffMs), maxBackoffMs },
    handleBatch: (items) => recordOrSetAside(items, history, log),
    onInvalid:
      kafka.deadLetterTopic === undefined
        ? ({ topic, partition, offset }, reason) =>
            log.warn(
              "record_left_out",
              { topic, partition, offset, reason },
              "A record that cannot be recorded is left out",
            )
        : undefined,
    env: false,
    log: logger,
  };
}

/**
 * Records a batch. An event that can never be recorded is set aside into the history's table, where `forget` reaches it, too.
 * The consumer halves a batch that holds such an event until it is alone. If that table is full, the event is the consumer's to
 * set aside, into the dead-letter topic or by a log line.
 */
async function recordOrSetAside(
  items: readonly SessionActivityItem[],
  history: SignalHistory,
  log: TroubleLog<CliTrouble>,
): Promise<void> {
  try {
    await history.recordBatch(items.map(({ event }) => event));
  } catch (error) {
    const [item] = items;
    if (item === undefined || items.length > 1 || failureOf(error) !== "poison") throw error;
    const { topic, partition, offset } = item.record;
    // The text of such an error may quote the event.
    const reason = errorCode(error) ?? errorName(error);
    if ((await history.setAside(item.record, reason)) === "full") throw error;
    log.warn(
      "event_set_aside",
      { topic, partition, offset, reason },
      "An event can never be recorded: it is set aside",
    );
  }
}

/**
 * Makes the schema, and tries again without limit while the database is away. Answers false if it was stopped meanwhile.
 * Rejects if the database is there and refuses.
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
      throw new Error(`the database refuses: ${describeRefusal(error)}`, { cause: error });
    }
  };
  for (let wait = backoffMs; !signal.aborted; wait = Math.min(maxBackoffMs, wait * 2)) {
    if (await Promise.race([attempt(), stopped])) return !signal.aborted;
    await pause(wait, signal);
  }
  return false;
}
