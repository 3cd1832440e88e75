import { type Environment, type GivenOptions, onTopOf, processEnvironment } from "../base/environment.js";
import { conflictingOption, missingOption } from "../base/option-error.js";
import { flag, type Option, type OptionsOf, readOptions, text, wholeNumber } from "../base/options.js";
import { consumerTable } from "../kafka/consumer/consumer-options.js";
import type { RetrySettings } from "../kafka/consumer/dead-letter-retry.js";
import { consumerFromEnv } from "../kafka/environment/kafka-environment.js";
import { type Argument, argument, readAction, readSettings } from "./arguments.js";

const actions = ["list", "retry"] as const;

/** What `session-activity dead-letters` was told to do. */
export interface DeadLettersOrder {
  readonly action: (typeof actions)[number];
  readonly settings: DeadLettersSettings;
}

type DeadLettersSettings = RetrySettings & { readonly all: boolean };

const deadLetterTopic: Option<string> = {
  ...consumerTable.deadLetterTopic,
  meaning: "The topic of the dead letters",
  byDefault: "",
  defaultText: "`SESSION_TRACKING_CONSUMER_DEAD_LETTER_TOPIC`",
};

const table: OptionsOf<DeadLettersSettings> = {
  brokers: { ...consumerTable.brokers, defaultText: "`SESSION_TRACKING_KAFKA_BROKERS`" },
  deadLetterTopic,
  topic: {
    ...consumerTable.topic,
    meaning: "The topic that the records came from, and are written back to",
    defaultText: "`SESSION_TRACKING_KAFKA_TOPIC`, or `session-activities`",
  },
  groupId: text({
    meaning: "The group that remembers which dead letters were retried",
    byDefault: "session-activity-dead-letters",
  }),
  limit: wholeNumber({ meaning: "How many dead letters are taken at most", unit: "dead letters", byDefault: 1_000 }),
  all: flag({ meaning: "With `list`: begins at the oldest, though it was retried already", defaultText: "" }),
  oauthToken: consumerTable.oauthToken,
  properties: consumerTable.properties,
};

/** Every argument there is, in the order of help and documents. */
export const deadLettersOptions: readonly Argument[] = [
  argument("--brokers", "HOST:PORT", table.brokers, ["brokers"]),
  argument("--dead-letter-topic", "TOPIC", table.deadLetterTopic, ["deadLetterTopic"]),
  argument("--topic", "TOPIC", table.topic, ["topic"]),
  argument("--group", "GROUP", table.groupId, ["groupId"]),
  argument("--limit", "COUNT", table.limit, ["limit"]),
  argument("--all", undefined, table.all, ["all"]),
];

/** Reads the arguments of `session-activity dead-letters`, on top of the environment. Throws an `OptionError`. */
export function readDeadLettersArguments(
  [word, ...rest]: readonly string[],
  env: Environment = processEnvironment,
): DeadLettersOrder {
  const action = readAction("dead-letters", word, actions);
  const { brokers, topic, deadLetterTopic: letters, properties }: GivenOptions = consumerFromEnv(env);
  const beneath = { brokers, topic, deadLetterTopic: letters, properties };
  const given = onTopOf(beneath, readSettings(rest, deadLettersOptions));
  if (given["brokers"] === undefined) throw missing("--brokers", table.brokers, "KAFKA_BROKERS");
  if (given["deadLetterTopic"] === undefined) {
    throw missing("--dead-letter-topic", table.deadLetterTopic, "CONSUMER_DEAD_LETTER_TOPIC");
  }
  const settings = readOptions(`session-activity dead-letters ${action}`, table, given);
  if (settings.deadLetterTopic === settings.topic) {
    throw conflictingOption("--dead-letter-topic", "--dead-letter-topic must be another topic than --topic");
  }
  if (settings.all && action === "retry") {
    throw conflictingOption("--all", "--all is for list only: retry goes on where it was");
  }
  return { action, settings };
}

function missing(name: string, { expects }: Option<unknown>, variable: string): Error {
  return missingOption(name, expects, `or the variable SESSION_TRACKING_${variable}`);
}
