import {
  type Environment,
  environmentOption,
  findUnknown,
  type GivenOptions,
  onTopOf,
  type Problems,
  readVariables,
  refuse,
  type Variable,
  variablesOf,
} from "../base/environment.js";
import type { Logger } from "../base/log.js";
import {
  group,
  logOption,
  milliseconds,
  type OptionsOf,
  objectWith,
  readOptions,
  text,
  wholeNumber,
} from "../base/options.js";
import { type DatabaseSettings, databaseTable, historyPrefix } from "../history/database.js";
import { historyTable, tombstoneKeyFileOption } from "../history/history-options.js";
import type { SignalDatabase, SignalHistoryOptions } from "../history/index.js";
import { consumerTable, type GivenConsumerSettings } from "../kafka/consumer/consumer-options.js";
import { clientFromEnv } from "../kafka/environment/kafka-environment.js";
import type { SessionActivityConsumerOptions } from "../kafka/index.js";

/** Options of {@link startHistoryWorker}. What is not given comes from the environment, then from the defaults. */
export interface HistoryWorkerOptions {
  /**
   * Where the history is kept. It stays open. By default, what `SESSION_HISTORY_DATABASE` says, opened and closed by the
   * worker. Needed here or there: a worker never chooses a history in memory by itself.
   */
  database?: SignalDatabase | undefined;
  /** The options of the signal history. */
  history?: Omit<SignalHistoryOptions, "database" | "env" | "log"> | undefined;
  /**
   * What is read. Records without an event go to `deadLetterTopic`, or are logged and counted. Where Kafka is, and how to get
   * in, comes from the variables `SESSION_TRACKING_KAFKA_*` by default.
   */
  kafka?:
    | Pick<
        SessionActivityConsumerOptions,
        "brokers" | "groupId" | "topic" | "deadLetterTopic" | "oauthToken" | "properties" | "closeTimeoutMs"
      >
    | undefined;
  /** The longest time between two attempts while the database is away. By default, 5,000 ms. */
  maxBackoffMs?: number | undefined;
  /**
   * How long the worker may be refused without a break before it ends with the reason: by the database, for one because its
   * password was changed, or by Kafka. It tries again all the while, and is not ready. At its start, a refusal of the database
   * ends it at once.
   *
   * @default 600_000
   */
  giveUpAfterMs?: number | undefined;
  /**
   * After what time a statement or a record that is still in hand counts as a standstill: it is logged, and the worker is not
   * ready.
   *
   * @default 60_000
   */
  stuckAfterMs?: number | undefined;
  /** About how often the history is compacted. By default, each 60,000 ms. */
  compactEveryMs?: number | undefined;
  /** Where `/healthz`, `/readyz` and `/metrics` are answered. By default, nowhere. */
  health?: { readonly port?: number | undefined; readonly host?: string | undefined } | undefined;
  /**
   * The environment variables that stand beneath the options. `false` ignores the environment.
   *
   * @default the process's environment
   */
  env?: Environment | false | undefined;
  /** Takes what there is to say. By default, warnings and errors go to stderr, a line each; false silences them. */
  log?: Logger | false | undefined;
}

/** The options, checked and completed. */
export interface WorkerSettings {
  readonly database: SignalDatabase | undefined;
  readonly history: Omit<SignalHistoryOptions, "database" | "env" | "log">;
  readonly kafka: Pick<
    GivenConsumerSettings,
    "brokers" | "groupId" | "topic" | "deadLetterTopic" | "oauthToken" | "properties" | "closeTimeoutMs"
  >;
  readonly maxBackoffMs: number;
  readonly giveUpAfterMs: number;
  readonly stuckAfterMs: number;
  readonly compactEveryMs: number;
  readonly health: { readonly port: number | undefined; readonly host: string | undefined };
  readonly env: Environment | false | undefined;
  readonly log: Logger | false | undefined;
}

const { database: _, env: __, log: ___, ...historyOptions } = historyTable;
const { brokers, topic, deadLetterTopic, closeTimeoutMs, oauthToken, properties } = consumerTable;

const portOption = wholeNumber({ meaning: "A port", unit: "a port", byDefault: 0, min: 0, max: 65_535 });

/** What a worker reads. */
export const workerKafkaTable: OptionsOf<WorkerSettings["kafka"]> = {
  // A service's variables say where Kafka is.
  brokers: { ...brokers, variable: undefined, defaultText: "`SESSION_TRACKING_KAFKA_BROKERS`" },
  topic: {
    ...topic,
    variable: undefined,
    defaultText: "`SESSION_TRACKING_KAFKA_TOPIC`, or `session-activities`",
  },
  groupId: text({
    meaning: "Workers of one group share the partitions",
    byDefault: "session-activity-history",
    variable: "GROUP",
  }),
  deadLetterTopic: {
    ...deadLetterTopic,
    meaning: "The topic for records that hold no event",
    defaultText: "they are counted, and logged without their content",
    variable: "DEAD_LETTER_TOPIC",
  },
  closeTimeoutMs: { ...closeTimeoutMs, variable: "CLOSE_TIMEOUT_MS" },
  oauthToken,
  properties: { ...properties, variable: undefined, defaultText: "`SESSION_TRACKING_KAFKA_*`" },
};

/** Where a worker answers about its health. */
export const workerHealthTable: OptionsOf<WorkerSettings["health"]> = {
  port: {
    meaning: "Answers `/healthz`, `/readyz` and `/metrics` there; 0 for any free port",
    expects: "a port from 0 to 65535",
    defaultText: "no health endpoint",
    variable: "HEALTH_PORT",
    read: (value) => portOption.read(value),
    parse: portOption.parse,
  },
  host: text({
    meaning: "The address that the health port is bound to",
    defaultText: "all of the machine's",
    variable: "HEALTH_HOST",
  }),
};

/** The options of a worker, of which the command sets some. */
export const workerTable: OptionsOf<WorkerSettings> = {
  database: objectWith<SignalDatabase>(["query"], {
    meaning: "Where the history is kept",
    expects: "a Pool of pg, a PGlite, or what openSignalDatabase gives",
    defaultText: "`SESSION_HISTORY_DATABASE`",
  }),
  history: group<WorkerSettings["history"]>(historyOptions, { meaning: "The signal history" }),
  kafka: group(workerKafkaTable, { meaning: "What is read" }),
  maxBackoffMs: wholeNumber({
    meaning: "The longest time between two attempts while the database is away",
    unit: "milliseconds",
    byDefault: 5_000,
    variable: "MAX_BACKOFF_MS",
  }),
  giveUpAfterMs: milliseconds({
    meaning: "How long the worker may be refused without a break before it ends with the reason",
    byDefault: 600_000,
    min: 1_000,
    variable: "GIVE_UP_AFTER_MS",
  }),
  stuckAfterMs: {
    ...consumerTable.stuckAfterMs,
    meaning: "After what time a statement or a record that is still in hand counts as a standstill",
    variable: "STUCK_AFTER_MS",
  },
  compactEveryMs: milliseconds({
    meaning: "About how often the history is compacted",
    byDefault: 60_000,
    variable: "COMPACT_EVERY_MS",
  }),
  health: group(workerHealthTable, { meaning: "The health endpoint" }),
  env: environmentOption,
  log: logOption,
};

const workerDatabaseTable: OptionsOf<DatabaseSettings> = {
  ...databaseTable,
  url: { ...databaseTable.url, defaultText: "none: a database must be given, by this or another way" },
};
const databaseVariables = variablesOf(historyPrefix, workerDatabaseTable, ["address"]);
const tombstoneKeyFile: Variable = {
  name: `${historyPrefix}${tombstoneKeyFileOption.variable}`,
  option: tombstoneKeyFileOption,
  path: ["tombstoneKeyFile"],
};

/** The variables of the worker, beside those of Kafka. */
export const workerVariables: readonly Variable[] = [
  ...databaseVariables,
  tombstoneKeyFile,
  ...variablesOf(historyPrefix, workerTable),
];

/**
 * Reads the environment of a worker. Throws an `OptionError` that names all that is wrong, and each `SESSION_HISTORY_*` name
 * that is unknown.
 */
export function workerFromEnv(env: Environment): {
  readonly address: DatabaseSettings;
  readonly options: GivenOptions;
} {
  const problems: Problems = new Map();
  const { address, tombstoneKeyFile: file, ...given } = readVariables(workerVariables, env, problems);
  findUnknown(historyPrefix, workerVariables, env, problems);
  refuse(problems, "the history worker");
  const tombstoneKey = tombstoneKeyFileOption.read(file);
  const beneath = { kafka: clientFromEnv(env), ...(tombstoneKey !== undefined && { history: { tombstoneKey } }) };
  return { address: readOptions("the environment", databaseTable, address), options: onTopOf(beneath, given) };
}
