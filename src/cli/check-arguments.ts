import { type Environment, type GivenOptions, onTopOf, processEnvironment } from "../base/environment.js";
import { conflictingOption, missingOption } from "../base/option-error.js";
import { flag, type Option, type OptionsOf, readOptions } from "../base/options.js";
import { consumerTable } from "../kafka/consumer/consumer-options.js";
import type { TopicDump } from "../kafka/consumer/topic-dump.js";
import { clientFromEnv } from "../kafka/environment/kafka-environment.js";
import { runsTopicOption } from "../kafka/tracking-options.js";
import { type Argument, argument, type CommandOption, readSettings } from "./arguments.js";
import { commonOptions } from "./command.js";

/** What `session-activity check` was told to do. Without brokers, there are files. */
export interface CheckSettings extends Omit<TopicDump, "groupId" | "sinceMs" | "brokers"> {
  readonly brokers: string | undefined;
  readonly runsTopic: string;
  readonly files: readonly string[] | undefined;
  readonly since: Date | undefined;
  readonly until: Date | undefined;
  readonly json: boolean;
}

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A moment, typed as a time or as how long it is ago. */
function momentOption(meaning: string, defaultText: string): Option<Date | undefined> {
  return {
    meaning,
    expects: "a time such as 2026-11-27T10:00:00Z, or how long ago it was: 90s, 15m, 2h or 7d",
    defaultText,
    read: (value) => (value instanceof Date && !Number.isNaN(value.getTime()) ? value : undefined),
    parse(given) {
      const [, count, unit = ""] = /^(\d{1,9})([smhd])$/.exec(given) ?? [];
      if (count !== undefined) return new Date(Date.now() - Number(count) * (unitMs[unit] ?? 0));
      return /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(given) ? new Date(given) : given;
    },
  };
}

const runsTopic: Option<string> = {
  meaning: "The topic of the run records",
  expects: runsTopicOption.expects.replace("; or false", ""),
  byDefault: "session-activity-runs",
  defaultText: "`SESSION_TRACKING_KAFKA_RUNS_TOPIC`, or `session-activity-runs`",
  read(value) {
    const topic = runsTopicOption.read(value);
    return topic === false ? undefined : topic;
  },
  parse: (given) => given,
};

const files: Option<readonly string[] | undefined> = {
  meaning: "Checks files of JSON Lines, joined by commas, instead of topics",
  expects: "the paths of files, joined by commas",
  defaultText: "none",
  read: (value) =>
    Array.isArray(value) && value.every((path) => typeof path === "string" && path !== "") ? value : undefined,
  parse: (given) => given.split(","),
};

const table: OptionsOf<CheckSettings> = {
  brokers: {
    ...consumerTable.brokers,
    required: undefined,
    defaultText: "`SESSION_TRACKING_KAFKA_BROKERS`",
  },
  topic: {
    ...consumerTable.topic,
    meaning: "The topic of the events",
    defaultText: "`SESSION_TRACKING_KAFKA_TOPIC`, or `session-activities`",
  },
  runsTopic,
  files,
  since: momentOption("Checks no events from before", "the oldest there is"),
  until: momentOption("Checks no events from after", "now: then runs that are open are unknown"),
  json: flag({ meaning: "Prints the report as JSON", defaultText: "text" }),
  oauthToken: consumerTable.oauthToken,
  properties: consumerTable.properties,
};

const typed: readonly Argument[] = [
  argument("--brokers", "HOST:PORT", table.brokers, ["brokers"]),
  argument("--topic", "TOPIC", table.topic, ["topic"]),
  argument("--runs-topic", "TOPIC", table.runsTopic, ["runsTopic"]),
  argument("--files", "FILES", table.files, ["files"]),
  argument("--since", "TIME", table.since, ["since"]),
  argument("--until", "TIME", table.until, ["until"]),
  argument("--json", undefined, table.json, ["json"]),
];

/** Every argument there is, in the order of help and documents. */
export const checkOptions: readonly CommandOption[] = [...typed, ...commonOptions];

/** Reads the arguments of `session-activity check`, on top of the environment. Throws an `OptionError`. */
export function readCheckArguments(args: readonly string[], env: Environment = processEnvironment): CheckSettings {
  const own = readSettings(args, typed);
  if (own["files"] !== undefined) {
    const name = Object.keys(own).find((other) => ["brokers", "topic", "runsTopic"].includes(other));
    if (name !== undefined)
      throw conflictingOption("--files", "--files checks files: leave out what says where topics are");
    return readOptions("session-activity check", table, own);
  }
  const { brokers, topic, properties, runsTopic: runs }: GivenOptions = clientFromEnv(env);
  const beneath = { brokers, topic, properties, ...(runs !== false && { runsTopic: runs }) };
  const settings = readOptions("session-activity check", table, onTopOf(beneath, own));
  if (settings.brokers === undefined) {
    const instead = "or --files, or the variable SESSION_TRACKING_KAFKA_BROKERS";
    throw missingOption("--brokers", table.brokers.expects, instead);
  }
  return settings;
}
