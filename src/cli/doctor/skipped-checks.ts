import { type Finding, unchecked } from "./finding.js";

/** What the checks of Kafka are about. */
export interface KafkaTopics {
  readonly brokers: string;
  /** The topic of the events. */
  readonly topic: string;
  /** The topic of the run records. */
  readonly runsTopic: string;
}

/** A check of Kafka. */
export type KafkaCheck = "Login" | "Brokers" | "Topic" | "Replication" | "Topic settings" | "Rights" | "Clock" | "Runs";

/** The checks that need an answer of a broker, in their order, each with a command that shows the same. */
const checks: Readonly<Record<KafkaCheck, (topics: KafkaTopics) => string>> = {
  Login: ({ brokers }) => `kcat -b ${brokers} -L, with the same user`,
  Brokers: ({ brokers }) => `kcat -b ${brokers} -L`,
  Topic: describeTopic,
  Replication: describeTopic,
  "Topic settings": ({ brokers, topic }) =>
    `kafka-configs.sh --bootstrap-server ${brokers} --describe --all --entity-type topics --entity-name ${topic}`,
  Rights: ({ brokers, topic }) => `kafka-acls.sh --bootstrap-server ${brokers} --list --topic ${topic}`,
  Clock: () => "run date -u here, and on each broker and service, and compare",
  Runs: checkRuns,
};

/** The command that shows what a check would have. */
export function commandFor(check: KafkaCheck, topics: KafkaTopics): string {
  return checks[check](topics);
}

/** Says of the checks after one that they were not made, and how to see it all the same. */
export function* skippedAfter(
  last: KafkaCheck | "Address",
  because: string,
  topics: KafkaTopics,
): Generator<Finding, void, void> {
  const begin = Object.keys(checks).indexOf(last) + 1;
  for (const [check, command] of Object.entries(checks).slice(begin)) {
    yield unchecked(check, because, `run doctor again then; or: ${command(topics)}`);
  }
}

function describeTopic({ brokers, topic }: KafkaTopics): string {
  return `kafka-topics.sh --bootstrap-server ${brokers} --describe --topic ${topic}`;
}

/** An open run is known up to its last record, so the range ends before. */
function checkRuns({ brokers, topic, runsTopic }: KafkaTopics): string {
  return `session-activity check --brokers ${brokers} --topic ${topic} --runs-topic ${runsTopic} --since 2h --until 10m`;
}
