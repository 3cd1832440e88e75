import { type Environment, processEnvironment } from "../base/environment.js";
import { isOptions, type Option, type OptionsOf, readOptions } from "../base/options.js";
import { printable, printableJson } from "../base/text.js";
import { type DatabaseSettings, databaseTable } from "../history/database.js";
import { historyTable } from "../history/history-options.js";
import type { KafkaProperties } from "../kafka/client/client-options.js";
import { withOAuth } from "../kafka/client/oauth-token.js";
import { consumerTable } from "../kafka/consumer/consumer-options.js";
import { clientFromEnv } from "../kafka/environment/kafka-environment.js";
import { type Argument, argument, readSettings } from "./arguments.js";
import { runsTopicArgument } from "./check-arguments.js";
import type { Command } from "./command.js";
import { findDatabase } from "./doctor/database-findings.js";
import { bad, type Finding, type FindingKind, unchecked } from "./doctor/finding.js";
import { findClient, findKafka } from "./doctor/kafka-findings.js";
import { findKeys } from "./doctor/key-findings.js";
import { skippedAfter } from "./doctor/skipped-checks.js";
import type { Ending } from "./exit-codes.js";
import { addressOption, refusePassword } from "./history-arguments.js";
import { readerGroupId, readingTable } from "./reading-arguments.js";
import { jsonOption } from "./tail-command.js";
import type { Terminal, Tone } from "./terminal.js";

/** What `session-activity doctor` was told to look at. */
interface DoctorSettings {
  readonly brokers: string | undefined;
  readonly topic: string;
  readonly runsTopic: string;
  readonly schema: string;
  readonly json: boolean;
  readonly properties: KafkaProperties;
}

const brokersOption: Option<string | undefined> = {
  ...readingTable.brokers,
  required: undefined,
  defaultText: "`SESSION_TRACKING_KAFKA_BROKERS`",
};

const table: OptionsOf<DoctorSettings> = {
  brokers: brokersOption,
  topic: { ...readingTable.topic, meaning: "The topic of the events" },
  runsTopic: runsTopicArgument,
  schema: historyTable.schema,
  json: { ...jsonOption, meaning: "Prints a line of JSON for each finding" },
  properties: consumerTable.properties,
};

/** Every argument there is, in the order of help and documents. */
export const doctorOptions: readonly Argument[] = [
  argument("--brokers", "HOST:PORT", table.brokers, ["brokers"]),
  argument("--topic", "TOPIC", table.topic, ["topic"]),
  argument("--runs-topic", "TOPIC", table.runsTopic, ["runsTopic"]),
  argument("--database", "ADDRESS", { ...addressOption, defaultText: "`SESSION_HISTORY_DATABASE`, or none" }, [
    "address",
    "url",
  ]),
  argument("--schema", "NAME", table.schema, ["schema"]),
  argument("--json", undefined, table.json, ["json"]),
];

/** `session-activity doctor`. */
export const doctorCommand: Command = {
  name: "doctor",
  summary: "Looks for what is wrong with Kafka, keys, clocks and the database, and says what to do",
  help: {
    usage: "[options]",
    about: `Looks at the native Kafka client, each broker's address, login, brokers, topic, replication, rights, clocks, the runs of
the last hour, keys, certificates, and the history's database, from outside to inside, with the same environment as a service.
Each finding says what to do. What cannot be seen is printed as "not checked", with the command that shows it. It writes nothing
anywhere.`,
    options: doctorOptions,
    examples: [
      {
        does: "Why does no event arrive?",
        line: "SESSION_TRACKING_KAFKA_TLS=true session-activity doctor --brokers kafka.internal:9093",
      },
      {
        does: "Is everything there that the history worker needs?",
        line: "session-activity doctor --brokers kafka.internal:9092 --database postgresql://recorder@db.internal/history",
      },
    ],
    endings: { done: "nothing is wrong, as far as this client can see", negative: "somebody has to act" },
  },
  prepare(args) {
    const order = readDoctorArguments(args);
    return (terminal) => examine(order, terminal);
  },
};

/** What is looked at. */
interface DoctorOrder {
  readonly settings: DoctorSettings;
  readonly address: DatabaseSettings;
  readonly env: Environment;
}

/** Reads the arguments of `session-activity doctor`, on top of the environment. Throws an `OptionError`. */
export function readDoctorArguments(args: readonly string[], env: Environment = processEnvironment): DoctorOrder {
  const { brokers, topic, properties, runsTopic } = clientFromEnv(env);
  const { address, ...typed } = readSettings(args, doctorOptions);
  const beneath = Object.entries({ brokers, topic, properties, runsTopic: runsTopic || undefined }).filter(
    ([, value]) => value !== undefined,
  );
  const settings = readOptions("session-activity doctor", table, { ...Object.fromEntries(beneath), ...typed });
  const url = isOptions(address) && typeof address["url"] === "string" ? address["url"] : undefined;
  if (url !== undefined) refusePassword(url);
  const variable = env["SESSION_HISTORY_DATABASE"]?.trim() || undefined;
  return { settings, address: readOptions("session-activity doctor", databaseTable, { url: url ?? variable }), env };
}

async function examine(order: DoctorOrder, terminal: Terminal): Promise<Ending> {
  const counts = new Map<FindingKind, number>();
  for await (const finding of findingsOf(order, terminal.ending)) {
    if (terminal.ending.aborted) return "interrupted";
    counts.set(finding.kind, (counts.get(finding.kind) ?? 0) + 1);
    const line = order.settings.json ? printableJson(JSON.stringify(finding)) : textOf(finding, terminal.paint);
    await terminal.write(`${line}\n`);
  }
  const count = (kind: FindingKind): number => counts.get(kind) ?? 0;
  const sum = `${count("bad")} wrong, ${count("warning")} to be watched, ${count("good")} good, ${count("unchecked")} not checked`;
  if (!order.settings.json) await terminal.write(`\n${terminal.paint("strong", sum)}\n`);
  return count("bad") > 0 ? "negative" : "done";
}

async function* findingsOf(
  { settings, address, env }: DoctorOrder,
  ending: AbortSignal,
): AsyncGenerator<Finding, void, void> {
  const { brokers, topic, runsTopic, schema } = settings;
  const properties = withOAuth({ oauthToken: undefined, properties: settings.properties });
  const hasClient = yield* findClient();
  if (brokers === undefined) {
    yield bad("Brokers", "nobody says where Kafka is", "give --brokers, or SESSION_TRACKING_KAFKA_BROKERS");
    yield* skippedAfter("Brokers", "it can be seen if doctor knows where Kafka is", {
      brokers: "HOST:PORT",
      topic,
      runsTopic,
    });
  } else if (hasClient) {
    yield* findKafka({ brokers, topic, runsTopic, properties, oauthToken: undefined, groupId: readerGroupId }, ending);
  } else {
    yield unchecked("Kafka", "without its client there is no way to see it", `kcat -b ${brokers} -L`);
  }
  yield* findKeys(env, properties);
  yield* findDatabase({ address, schema });
}

const marks: Readonly<Record<FindingKind, readonly [word: string, tone: Tone]>> = {
  good: ["good", "good"],
  bad: ["wrong", "bad"],
  warning: ["watch", "warn"],
  unchecked: ["not checked", "faint"],
};
const markWidth = "not checked".length;

function textOf({ kind, subject, says, advice }: Finding, paint: Terminal["paint"]): string {
  const [word, tone] = marks[kind];
  const line = `${paint(tone, word.padEnd(markWidth))}  ${paint("strong", printable(subject))}: ${printable(says)}`;
  return advice === undefined ? line : `${line}\n${" ".repeat(markWidth)}  → ${printable(advice)}`;
}
