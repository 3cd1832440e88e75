import { readFileSync } from "node:fs";
import {
  type Environment,
  type Problems,
  processEnvironment,
  readVariables,
  refuse,
  type Variable,
  variablesOf,
} from "../base/environment.js";
import { missingOption, optionError, wrongOptionShown } from "../base/option-error.js";
import {
  defaultInWords,
  flag,
  type Option,
  type OptionsOf,
  type OptionTable,
  text,
  wholeNumber,
} from "../base/options.js";
import { databaseTable } from "../history/database.js";
import { historyTable } from "../history/history-options.js";
import type { SignalHistoryOptions } from "../history/index.js";
import { brokersOption } from "../kafka/client/client-options.js";
import { consumerTable } from "../kafka/consumer/consumer-options.js";
import { sessionTrackingFromEnv } from "../kafka/environment/kafka-environment.js";
import type { SessionActivityConsumerOptions } from "../kafka/index.js";
import { type CommandOption, readArguments } from "./arguments.js";
import type { HealthAddress } from "./health.js";

/** What `session-activity history` was told to do. */
export interface HistoryCommand {
  /** A server's address, or the path of a folder. */
  readonly database: string;
  readonly history: Pick<SignalHistoryOptions, "schema" | "requireVerified" | "latenessMs" | "tombstoneKey">;
  readonly kafka: Pick<
    SessionActivityConsumerOptions,
    "brokers" | "groupId" | "topic" | "deadLetterTopic" | "properties"
  >;
  readonly health: HealthAddress | undefined;
}

/** Everything that can be set, each by an argument or a variable. */
interface CommandSettings {
  readonly brokers: string;
  readonly topic: string;
  readonly groupId: string;
  readonly database: string | undefined;
  readonly schema: string;
  readonly requireVerified: boolean;
  readonly latenessMs: number;
  readonly deadLetterTopic: string | undefined;
  readonly tombstoneKeyFile: Uint8Array | undefined;
  readonly healthPort: number | undefined;
  readonly healthHost: string | undefined;
}

const prefix = "SESSION_HISTORY_";
const hourMs = 3_600_000;

/** The options of the command. Their bounds are those of the libraries. */
export const commandTable: OptionsOf<CommandSettings> = {
  // A service's variables say where Kafka is.
  brokers: { ...brokersOption, variable: undefined, defaultText: "`SESSION_TRACKING_KAFKA_BROKERS`" },
  topic: {
    ...consumerTable.topic,
    variable: undefined,
    defaultText: "`SESSION_TRACKING_KAFKA_TOPIC`, or `session-activities`",
  },
  groupId: text({
    meaning: "Workers of one group share the partitions",
    byDefault: "session-activity-history",
    variable: "GROUP",
  }),
  database: {
    ...databaseTable.url,
    meaning:
      "`postgresql://user@host/name` without a password, or the path of a folder for one worker with an embedded database",
    defaultText: "`SESSION_HISTORY_DATABASE`, which may hold a password",
  },
  schema: historyTable.schema,
  requireVerified: historyTable.requireVerified,
  latenessMs: historyTable.latenessMs,
  deadLetterTopic: {
    ...consumerTable.deadLetterTopic,
    defaultText: "they are counted, and logged without their content",
    variable: "DEAD_LETTER_TOPIC",
  },
  tombstoneKeyFile: {
    meaning:
      "Holds the secret by which who was forgotten is known again, at least 16 bytes; a line break at its end does not count",
    expects: "the path of a readable file with at least 16 bytes",
    defaultText: "none",
    variable: "TOMBSTONE_KEY_FILE",
    read: (value) => (typeof value === "string" ? readKey(value) : undefined),
    parse: (given) => given,
  },
  healthPort: {
    ...wholeNumber({ meaning: "", unit: "a port", byDefault: 0, min: 0, max: 65_535 }),
    meaning: "Answers `/healthz` and `/readyz` there; 0 for any free port",
    expects: "a port from 0 to 65535",
    byDefault: undefined,
    defaultText: "no health endpoint",
    variable: "HEALTH_PORT",
  },
  healthHost: text({
    meaning: "The address that the health port is bound to",
    defaultText: "all of the machine's",
    variable: "HEALTH_HOST",
  }),
};

/** The same lateness for people. */
const latenessHours: Option<number> = {
  ...wholeNumber({ meaning: "", unit: "hours", byDefault: 24, max: 87_600 }),
  meaning: "How late an event may come and still be placed",
};

/** How an option is typed. */
interface Argument extends CommandOption {
  readonly sets?: keyof CommandSettings;
  readonly option: Option<unknown>;
  /** What the number that is typed is multiplied with. */
  readonly scale?: number;
}

const shows = (meaning: string): Option<boolean> => flag({ meaning, defaultText: "" });

/** Every argument there is, in the order of help and documents. */
export const historyOptions: readonly Argument[] = [
  argument("--brokers", "HOST:PORT", "brokers"),
  argument("--topic", "TOPIC", "topic"),
  argument("--group", "GROUP", "groupId"),
  argument("--database", "ADDRESS", "database"),
  argument("--schema", "NAME", "schema"),
  argument("--require-verified", undefined, "requireVerified"),
  { ...argument("--lateness-hours", "HOURS", "latenessMs", latenessHours), scale: hourMs },
  argument("--dead-letter-topic", "TOPIC", "deadLetterTopic"),
  argument("--tombstone-key-file", "FILE", "tombstoneKeyFile"),
  argument("--health-port", "PORT", "healthPort"),
  argument("--health-host", "HOST", "healthHost"),
  { ...argument("--help", undefined, undefined, shows("Shows this")) },
  { ...argument("--version", undefined, undefined, shows("Shows the version")) },
];

function argument(
  name: `--${string}`,
  value: string | undefined,
  sets: keyof CommandSettings | undefined,
  option: Option<unknown> = sets === undefined ? shows("") : commandTable[sets],
): Argument {
  const { meaning } = option;
  const byDefault = name === "--require-verified" ? "takes all" : defaultInWords(option);
  return { name, value, meaning, byDefault, option, ...(sets !== undefined && { sets }) };
}

/** The variables of the worker, beside those of Kafka. */
export const historyVariables: readonly Variable[] = variablesOf(prefix, commandTable as OptionTable);

/**
 * Reads the arguments of `session-activity history`, on top of the environment. Throws an `OptionError` that says which option is
 * wrong, what was expected, and what came, but for what may be a secret.
 */
export function readHistoryArguments(args: readonly string[], env: Environment = processEnvironment): HistoryCommand {
  const { kafka = {} } = sessionTrackingFromEnv(env);
  const settings = settingsOf(args, env, kafka);
  const { brokers, topic, groupId, deadLetterTopic, database, healthPort: port, healthHost: host } = settings;
  if (brokers === undefined) {
    throw missingOption("--brokers", brokersOption.expects, "or the variable SESSION_TRACKING_KAFKA_BROKERS");
  }
  if (database === undefined) {
    throw missingOption(
      "--database",
      commandTable.database.expects,
      "or the variable SESSION_HISTORY_DATABASE: a history in memory would end with this process",
    );
  }
  if (deadLetterTopic === topic) {
    throw wrongOptionShown("--dead-letter-topic", "another topic than the one that is read", `"${topic}"`);
  }
  if (host !== undefined && port === undefined) {
    throw missingOption("--health-port", commandTable.healthPort.expects, "since --health-host is");
  }
  const { schema, requireVerified, latenessMs, tombstoneKeyFile: tombstoneKey } = settings;
  return {
    database,
    history: { schema, requireVerified, latenessMs, tombstoneKey },
    kafka: { brokers, topic, groupId, deadLetterTopic, properties: kafka.properties },
    health: port === undefined ? undefined : { port, host },
  };
}

type GivenSettings = { -readonly [Name in keyof CommandSettings]?: CommandSettings[Name] };

function settingsOf(
  args: readonly string[],
  env: Environment,
  kafka: { readonly brokers?: unknown; readonly topic?: unknown },
): Omit<CommandSettings, "brokers"> & { readonly brokers: string | undefined } {
  const problems: Problems = new Map();
  const beneath = readVariables(prefix, historyVariables, env, problems);
  refuse(problems, "the history worker");
  const onTop = readGiven(args);
  const settings: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(commandTable as OptionTable)) {
    const given = { ...kafka, ...beneath }[name];
    settings[name] =
      onTop[name as keyof GivenSettings] ?? (given === undefined ? option.byDefault : option.read(given));
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return settings as unknown as CommandSettings;
}

function readGiven(args: readonly string[]): GivenSettings {
  const settings: Record<string, unknown> = {};
  for (const [name, given] of readArguments(args, historyOptions)) {
    const argumentOf = historyOptions.find((known) => known.name === name);
    if (argumentOf?.sets === undefined) continue;
    const { option, sets, scale } = argumentOf;
    const value = option.read(given === true ? true : (option.parse?.(given) ?? given));
    if (value === undefined) {
      const received = option.secret ? "another text" : JSON.stringify(given);
      throw wrongOptionShown(name, option.expects, received);
    }
    if (sets === "database") refusePassword(String(value));
    settings[sets] = scale === undefined ? value : Number(value) * scale;
  }
  return settings;
}

/** Everybody on a machine can read its processes' arguments. */
function refusePassword(address: string): void {
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

function readKey(file: string): Uint8Array | undefined {
  try {
    const bytes = readFileSync(file);
    const end = bytes.at(-1) === 10 ? (bytes.at(-2) === 13 ? -2 : -1) : bytes.length;
    const key = bytes.subarray(0, end);
    return key.length >= 16 ? key : undefined;
  } catch {
    return undefined;
  }
}
