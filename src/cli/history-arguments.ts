import { type Environment, type GivenOptions, onTopOf, processEnvironment } from "../base/environment.js";
import { missingOption, optionError, wrongOption } from "../base/option-error.js";
import { isOptions, type Option, readOptions, wholeNumber } from "../base/options.js";
import { type DatabaseSettings, databaseTable } from "../history/database.js";
import { historyTable, tombstoneKeyFileOption } from "../history/history-options.js";
import { type Argument, argument, readSettings } from "./arguments.js";
import {
  type WorkerSettings,
  workerFromEnv,
  workerHealthTable,
  workerKafkaTable,
  workerTable,
} from "./worker-options.js";

/** What `session-activity history` was told to do. */
export interface HistoryCommand {
  readonly address: DatabaseSettings;
  readonly options: Omit<WorkerSettings, "database" | "env" | "log">;
}

const hourMs = 3_600_000;

/** The address as it is typed: a variable may hold a password, and an argument must not. */
export const addressOption: Option<string | undefined> = {
  ...databaseTable.url,
  meaning:
    "`postgresql://user@host/name` without a password, or the path of a folder for one worker with an embedded database",
  defaultText: "`SESSION_HISTORY_DATABASE`, which may hold a password",
};

/** The same lateness for people. */
const latenessHours: Option<number> = {
  ...wholeNumber({ meaning: "", unit: "hours", byDefault: 24, max: 87_600 }),
  meaning: "How late an event may come and still be placed",
  variable: historyTable.latenessMs.variable,
};

/** Every argument there is, in the order of help and documents. */
export const historyOptions: readonly Argument[] = [
  argument("--brokers", "HOST:PORT", workerKafkaTable.brokers, ["kafka", "brokers"]),
  argument("--topic", "TOPIC", workerKafkaTable.topic, ["kafka", "topic"]),
  argument("--group", "GROUP", workerKafkaTable.groupId, ["kafka", "groupId"]),
  argument("--database", "ADDRESS", addressOption, ["address", "url"]),
  argument("--schema", "NAME", historyTable.schema, ["history", "schema"]),
  argument("--require-verified", undefined, { ...historyTable.requireVerified, defaultText: "takes all" }, [
    "history",
    "requireVerified",
  ]),
  argument("--keep-all", undefined, { ...historyTable.keepAll, defaultText: "keeps those that count" }, [
    "history",
    "keepAll",
  ]),
  { ...argument("--lateness-hours", "HOURS", latenessHours, ["history", "latenessMs"]), scale: hourMs },
  argument("--dead-letter-topic", "TOPIC", workerKafkaTable.deadLetterTopic, ["kafka", "deadLetterTopic"]),
  argument("--tombstone-key-file", "FILE", tombstoneKeyFileOption, ["history", "tombstoneKey"]),
  argument("--health-port", "PORT", workerHealthTable.port, ["health", "port"]),
  argument("--health-host", "HOST", workerHealthTable.host, ["health", "host"]),
];

/**
 * Reads the arguments of `session-activity history`, on top of the environment. Throws an `OptionError` that says which option is
 * wrong, what was expected, and what came, but for what may be a secret.
 */
export function readHistoryArguments(args: readonly string[], env: Environment = processEnvironment): HistoryCommand {
  const beneath = workerFromEnv(env);
  const all: GivenOptions = onTopOf(
    { ...beneath.options, address: beneath.address },
    readGivenArguments(args, historyOptions),
  );
  const { address, ...given } = all;
  if (!isOptions(given["kafka"]) || given["kafka"]["brokers"] === undefined) {
    throw missingOption(
      "--brokers",
      workerKafkaTable.brokers.expects,
      "or the variable SESSION_TRACKING_KAFKA_BROKERS",
    );
  }
  const { database: _, env: __, log: ___, ...options } = readOptions("session-activity history", workerTable, given);
  const settings = readOptions("session-activity history", databaseTable, address);
  check(options, settings);
  return { address: settings, options };
}

/** What no option shows by itself. */
function check({ kafka, health }: HistoryCommand["options"], { url }: DatabaseSettings): void {
  if (url === undefined) {
    throw missingOption(
      "--database",
      addressOption.expects,
      "or the variable SESSION_HISTORY_DATABASE: a history in memory would end with this process",
    );
  }
  if (kafka.deadLetterTopic === kafka.topic) {
    throw wrongOption("--dead-letter-topic", "another topic than the one that is read", kafka.topic);
  }
  if (health.host !== undefined && health.port === undefined) {
    throw missingOption("--health-port", workerHealthTable.port.expects, "since --health-host is");
  }
}

/** What the arguments of a command that is about the history say, each checked. */
export function readGivenArguments(args: readonly string[], options: readonly Argument[]): GivenOptions {
  const settings = readSettings(args, options);
  const address = settings["address"];
  if (isOptions(address) && typeof address["url"] === "string") refusePassword(address["url"]);
  return settings;
}

/** Refuses a password: everybody on a machine can read its processes' arguments. */
export function refusePassword(address: string): void {
  if (!URL.canParse(address)) return;
  const { password, searchParams } = new URL(address);
  if (password === "" && !searchParams.has("password")) return;
  const message =
    "--database must be without a password, which everybody on the machine could read: use PGPASSWORD, PGPASSFILE or SESSION_HISTORY_DATABASE";
  throw optionError("ERR_OPTION_INVALID", message, {
    option: "--database",
    expected: "an address without a password",
    received: "one with a password",
  });
}
