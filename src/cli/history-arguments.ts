import { readFileSync } from "node:fs";
import { wrongOption } from "../base/option-checks.js";
import { createSignalHistory, type SignalHistoryOptions } from "../history/index.js";
import { consumerSettings } from "../kafka/consumer/consumer-options.js";
import { historyDatabaseFromEnv, sessionTrackingFromEnv } from "../kafka/environment/environment.js";
import type { SessionActivityConsumerOptions } from "../kafka/index.js";
import { type CommandOption, type GivenOptions, readArguments } from "./arguments.js";
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

/** An option that the libraries check, under the name that they call it. */
interface HistoryOption extends CommandOption {
  readonly checkedAs?: string;
}

/** Every option there is. The order is the README's. */
// biome-ignore format: a table reads best with a row a line
export const historyOptions: readonly HistoryOption[] = [
  { name: "--brokers", value: "HOST:PORT", checkedAs: "brokers", meaning: "Where Kafka is, several joined by commas", byDefault: "`SESSION_TRACKING_KAFKA_BROKERS`" },
  { name: "--topic", value: "TOPIC", checkedAs: "topic", meaning: "The topic to read", byDefault: "`SESSION_TRACKING_KAFKA_TOPIC`, or `session-activities`" },
  { name: "--group", value: "GROUP", checkedAs: "groupId", meaning: "Workers of one group share the partitions", byDefault: "`session-activity-history`" },
  { name: "--database", value: "ADDRESS", meaning: "`postgresql://user@host/name` without a password, or the path of a folder for one worker with an embedded database", byDefault: "`SESSION_HISTORY_DATABASE`, which may hold a password" },
  { name: "--schema", value: "NAME", checkedAs: "schema", meaning: "The schema in the database that holds the history", byDefault: "`signal_history`" },
  { name: "--require-verified", meaning: "Only takes events whose session context was verified", byDefault: "takes all" },
  { name: "--lateness-hours", value: "HOURS", meaning: "How late an event may come and still be placed, from 1 to 596", byDefault: "`24`" },
  { name: "--dead-letter-topic", value: "TOPIC", checkedAs: "deadLetterTopic", meaning: "Where records go that hold no event", byDefault: "they are counted, and logged without their content" },
  { name: "--tombstone-key-file", value: "FILE", checkedAs: "tombstoneKey", meaning: "Holds the secret by which who was forgotten is known again, at least 16 bytes; a line break at its end does not count", byDefault: "none" },
  { name: "--health-port", value: "PORT", meaning: "Answers `/healthz` and `/readyz` there; 0 for any free port", byDefault: "no health endpoint" },
  { name: "--health-host", value: "HOST", meaning: "The address that the health port is bound to", byDefault: "all of the machine's" },
  { name: "--help", meaning: "Shows this", byDefault: "" },
  { name: "--version", meaning: "Shows the version", byDefault: "" },
];

/**
 * Reads the arguments of `session-activity history`, and the environment, where Kafka's security settings and secrets are.
 * Throws a TypeError that says which option is wrong, what was expected, and what came, but for what may be a secret.
 */
export function readHistoryArguments(
  args: readonly string[],
  env?: Readonly<Record<string, string | undefined>>,
): HistoryCommand {
  const given = readArguments(args, historyOptions);
  const text = (name: string): string | undefined => textOf(given, name);
  const { kafka = {} } = sessionTrackingFromEnv(env);
  const { brokers = kafka.brokers, topic = kafka.topic } = { brokers: text("--brokers"), topic: text("--topic") };
  if (brokers === undefined) {
    throw new TypeError("--brokers must be given, host:port, or SESSION_TRACKING_KAFKA_BROKERS, got neither");
  }
  const hours = wholeNumber(given, "--lateness-hours", 1, 596);
  const command: HistoryCommand = {
    database: databaseOf(text("--database"), env),
    history: {
      schema: text("--schema"),
      requireVerified: given.has("--require-verified"),
      latenessMs: hours === undefined ? undefined : hours * 3_600_000,
      tombstoneKey: keyOf(text("--tombstone-key-file")),
    },
    kafka: {
      brokers,
      topic,
      groupId: text("--group") ?? "session-activity-history",
      deadLetterTopic: text("--dead-letter-topic"),
      properties: kafka.properties,
    },
    health: healthOf(given),
  };
  check(command);
  return command;
}

function textOf(given: GivenOptions, name: string): string | undefined {
  const value = given.get(name);
  return value === true ? undefined : value;
}

function wholeNumber(given: GivenOptions, name: string, min: number, max: number): number | undefined {
  const text = textOf(given, name);
  if (text === undefined) return undefined;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw wrongOption(name, `a whole number from ${min} to ${max}`, text);
}

function databaseOf(given: string | undefined, env: Readonly<Record<string, string | undefined>> | undefined): string {
  const name = given === undefined ? "SESSION_HISTORY_DATABASE" : "--database";
  const address = given ?? historyDatabaseFromEnv(env);
  if (!address) {
    throw new TypeError(
      "--database must be given, postgresql://user@host/name or the path of a folder, or SESSION_HISTORY_DATABASE, got neither: a history in memory would end with this process",
    );
  }
  // It may hold a password, so no error shows it.
  if (!/^\w+:\/\//.test(address)) return address;
  if (!/^postgres(ql)?:/.test(address) || !URL.canParse(address)) {
    throw new TypeError(`${name} must be postgresql://user@host/name or the path of a folder, got another address`);
  }
  const { password, searchParams } = new URL(address);
  if (given !== undefined && (password !== "" || searchParams.has("password"))) {
    throw new TypeError(
      "--database must be without a password, which everybody on the machine could read, got one: use PGPASSWORD, PGPASSFILE or SESSION_HISTORY_DATABASE",
    );
  }
  return address;
}

function keyOf(file: string | undefined): Uint8Array | undefined {
  if (file === undefined) return undefined;
  try {
    const bytes = readFileSync(file);
    const end = bytes.at(-1) === 10 ? (bytes.at(-2) === 13 ? -2 : -1) : bytes.length;
    return bytes.subarray(0, end);
  } catch {
    throw wrongOption("--tombstone-key-file", "the path of a readable file", file);
  }
}

function healthOf(given: GivenOptions): HealthAddress | undefined {
  const port = wholeNumber(given, "--health-port", 0, 65_535);
  const host = textOf(given, "--health-host");
  if (port !== undefined) return { port, host };
  if (host === undefined) return undefined;
  throw new TypeError("--health-port must be given where --health-host is, got none");
}

/** What the libraries themselves check. Nothing begins by that. */
function check({ history, kafka }: HistoryCommand): void {
  try {
    consumerSettings({ ...kafka, handle() {}, ...(kafka.deadLetterTopic === undefined && { onInvalid() {} }) });
    createSignalHistory({ ...history, database: { query: () => Promise.resolve({ rows: [] }) } });
  } catch (error) {
    const [checked, ...rest] = error instanceof TypeError ? error.message.split(" ") : [];
    const option = historyOptions.find(({ checkedAs }) => checkedAs !== undefined && checkedAs === checked);
    throw option === undefined ? error : new TypeError([option.name, ...rest].join(" "), { cause: error });
  }
}
