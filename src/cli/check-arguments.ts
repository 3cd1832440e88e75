import { type Environment, type GivenOptions, onTopOf, processEnvironment } from "../base/environment.js";
import { conflictingOption, missingOption } from "../base/option-error.js";
import { type Option, type OptionsOf, readOptions } from "../base/options.js";
import { clientFromEnv } from "../kafka/environment/kafka-environment.js";
import { runsTopicOption } from "../kafka/tracking-options.js";
import { type Argument, argument, readSettings } from "./arguments.js";
import { momentOption } from "./moment.js";
import { type ReadingSettings, readingTable } from "./reading-arguments.js";
import { jsonOption } from "./tail-command.js";

/** What `session-activity check` was told to do. Without brokers, there are files. */
export interface CheckSettings extends Omit<ReadingSettings, "brokers" | "reveal"> {
  readonly brokers: string | undefined;
  readonly runsTopic: string;
  readonly files: readonly string[] | undefined;
  readonly json: boolean;
}

/** Which topic holds the run records. */
export const runsTopicArgument: Option<string> = {
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

const { topic, oauthToken, properties } = readingTable;
const table: OptionsOf<CheckSettings> = {
  brokers: { ...readingTable.brokers, required: undefined },
  topic: { ...topic, meaning: "The topic of the events" },
  runsTopic: runsTopicArgument,
  files,
  since: momentOption("Checks no events from before", "the oldest there is"),
  until: momentOption("Checks no events from after", "now: then runs that are open are unknown"),
  json: { ...jsonOption, meaning: "Prints the report as JSON", defaultText: "text" },
  oauthToken,
  properties,
};

/** Every argument there is, in the order of help and documents. */
export const checkOptions: readonly Argument[] = [
  argument("--brokers", "HOST:PORT", table.brokers, ["brokers"]),
  argument("--topic", "TOPIC", table.topic, ["topic"]),
  argument("--runs-topic", "TOPIC", table.runsTopic, ["runsTopic"]),
  argument("--files", "FILES", table.files, ["files"]),
  argument("--since", "TIME", table.since, ["since"]),
  argument("--until", "TIME", table.until, ["until"]),
  argument("--json", undefined, table.json, ["json"]),
];

/** Reads the arguments of `session-activity check`, on top of the environment. Throws an `OptionError`. */
export function readCheckArguments(args: readonly string[], env: Environment = processEnvironment): CheckSettings {
  const own = readSettings(args, checkOptions);
  if (own["files"] !== undefined) {
    const name = Object.keys(own).find((other) => ["brokers", "topic", "runsTopic"].includes(other));
    if (name !== undefined)
      throw conflictingOption("--files", "--files checks files: leave out what says where topics are");
    return readOptions("session-activity check", table, own);
  }
  const { runsTopic: runs, ...client }: GivenOptions = clientFromEnv(env);
  const beneath = {
    brokers: client["brokers"],
    topic: client["topic"],
    properties: client["properties"],
    ...(runs !== false && { runsTopic: runs }),
  };
  const settings = readOptions("session-activity check", table, onTopOf(beneath, own));
  if (settings.brokers === undefined) {
    const instead = "or --files, or the variable SESSION_TRACKING_KAFKA_BROKERS";
    throw missingOption("--brokers", table.brokers.expects, instead);
  }
  return settings;
}
