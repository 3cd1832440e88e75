import { type Environment, type GivenOptions, onTopOf } from "../base/environment.js";
import { missingOption } from "../base/option-error.js";
import { flag, type OptionsOf } from "../base/options.js";
import { consumerTable } from "../kafka/consumer/consumer-options.js";
import type { TopicSource } from "../kafka/consumer/topic-reader.js";
import { clientFromEnv } from "../kafka/environment/kafka-environment.js";
import { type Argument, argument } from "./arguments.js";
import { momentOption } from "./moment.js";

/** What every command that reads a topic takes. */
export interface ReadingSettings extends Omit<TopicSource, "groupId"> {
  readonly since: number | undefined;
  readonly until: number | undefined;
  readonly reveal: boolean;
}

/** Brokers know a reader by its group in their logs, though it joins none. */
export const readerGroupId = "session-activity";

/** The options of reading a topic. */
export const readingTable: OptionsOf<ReadingSettings> = {
  brokers: { ...consumerTable.brokers, variable: undefined, defaultText: "`SESSION_TRACKING_KAFKA_BROKERS`" },
  topic: {
    ...consumerTable.topic,
    meaning: "The topic to read",
    defaultText: "`SESSION_TRACKING_KAFKA_TOPIC`, or `session-activities`",
  },
  oauthToken: consumerTable.oauthToken,
  properties: consumerTable.properties,
  since: momentOption("From this moment on, by the time of the record in Kafka", "now"),
  until: momentOption("Up to this moment, by the time of the record in Kafka", "without end"),
  reveal: flag({ meaning: "Shows what tells of a person, instead of a mask", defaultText: "masked" }),
};

/** The arguments of reading a topic, with a default of their own for the range. */
export function readingArguments(since: string, until: string): readonly Argument[] {
  return [
    argument("--brokers", "HOST:PORT", readingTable.brokers, ["brokers"]),
    argument("--topic", "TOPIC", readingTable.topic, ["topic"]),
    argument("--since", "TIME", { ...readingTable.since, defaultText: since }, ["since"]),
    argument("--until", "TIME", { ...readingTable.until, defaultText: until }, ["until"]),
    argument("--reveal", undefined, readingTable.reveal, ["reveal"]),
  ];
}

/** What was typed, on top of where Kafka is by the environment. Throws an `OptionError` if nobody says that. */
export function onTopOfKafka(typed: GivenOptions, env: Environment): GivenOptions {
  const { brokers, topic, properties }: GivenOptions = clientFromEnv(env);
  const given: GivenOptions = onTopOf({ brokers, topic, properties }, typed);
  if (given["brokers"] === undefined) {
    const because = "or the variable SESSION_TRACKING_KAFKA_BROKERS";
    throw missingOption("--brokers", readingTable.brokers.expects, because);
  }
  return given;
}

/** What a note about secrets says in the help of every command that reads a topic. */
export const readingNotes = `TIME is a time such as 2026-11-27T10:00:00Z (UTC without a zone), or how long ago it was: 90s, 15m, 2h or 7d. The brokers
look up where it stands: nothing before it is read. TLS and SASL come from the variables SESSION_TRACKING_KAFKA_* that
services have, too. Reading needs the rights READ and DESCRIBE on the topic; no group is joined, and nothing is committed.

What tells of a person is masked: user, actor, device, address and user agent of the session, and attributes that look like
it. The same value has the same mask within one run. Session ids are not masked.`;
