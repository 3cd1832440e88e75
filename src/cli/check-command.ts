import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { SessionActivityEventSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { SessionActivityRunSchema } from "../../gen/sessionactivity/v1/session_activity_run_pb.js";
import { errorMessage } from "../base/errors.js";
import { createTroubleLog } from "../base/log.js";
import type { KafkaTrouble } from "../kafka/client/kafka-troubles.js";
import { dumpTopic } from "../kafka/consumer/topic-dump.js";
import { createRunChecker, type RunChecker } from "../trail/run-checker.js";
import type { RangeReport } from "../trail/run-report.js";
import { type CheckSettings, checkOptions, readCheckArguments } from "./check-arguments.js";
import { linesOfReport } from "./check-report.js";
import { type Command, optionLines } from "./command.js";
import { readTrailFile } from "./trail-file.js";

const complete = 0;
const incomplete = 1;
const cannotTell = 3;

/** `session-activity check`. */
export const checkCommand: Command = {
  name: "check",
  summary: "Tells whether all events of a time range are there, by the records of their runs",
  help: () => `Usage: session-activity check --brokers HOST:PORT [options]
       session-activity check --files FILES [options]

Reads run records and events, and prints a line for each run and a verdict on the range. Of each run it says which numbers are
there, declared lost with the reason, missing, or unknown because the run is open.

Options:
${optionLines(checkOptions)}

A file has a line for each event and each run record, in protobuf's JSON: what \`session-activity export\` writes, and what
other tools write from the topics. With --since, give files that begin 10 minutes earlier.

TLS and SASL come from the variables SESSION_TRACKING_KAFKA_* that services have, too.

Exit codes: 0 if the range is complete, 1 if something is missing or declared lost, 2 for wrong arguments, 3 if it cannot tell.
`,
  prepare(args) {
    const settings = readCheckArguments(args);
    return () => run(settings);
  },
};

/** What was read beside what the checker knows. */
interface Read {
  unreadable: number;
}

async function run(settings: CheckSettings): Promise<number> {
  const { since: from, until: to } = settings;
  const checker = createRunChecker({ from, to });
  const read: Read = { unreadable: 0 };
  try {
    if (settings.files === undefined) await checkTopics(checker, settings, read);
    else for (const path of settings.files) await checkFile(checker, path, read);
  } catch (error) {
    process.stderr.write(`session-activity check: ${errorMessage(error)}\n`);
    return cannotTell;
  }
  const report = checker.report();
  const { unreadable } = read;
  const text = settings.json
    ? JSON.stringify({ ...report, unreadable }, undefined, 2)
    : linesOfReport(report, unreadable).join("\n");
  process.stdout.write(`${text}\n`);
  return exitCodeOf(report);
}

function exitCodeOf({ verdict }: RangeReport): number {
  if (verdict.kind === "unknown") return cannotTell;
  return verdict.kind === "complete" ? complete : incomplete;
}

async function checkFile(checker: RunChecker, path: string, read: Read): Promise<void> {
  for await (const line of readTrailFile(path)) {
    if (line.kind === "record") checker.add(line.record);
    else read.unreadable += 1;
  }
}

/** Clocks differ, and the last record before the range is up to a minute older, or more if Kafka was away. */
const earlierMs = 10 * 60_000;

/** Run records come first: they must not speak of events that were not there yet when the events were read. */
async function checkTopics(checker: RunChecker, settings: CheckSettings, read: Read): Promise<void> {
  const { brokers = "", topic, runsTopic, since, oauthToken, properties } = settings;
  const sinceMs = since && since.getTime() - earlierMs;
  const common = { brokers, groupId: "session-activity-check", oauthToken, properties, sinceMs };
  const log = createTroubleLog<KafkaTrouble>(undefined);
  for (const [name, schema] of [
    [runsTopic, SessionActivityRunSchema],
    [topic, SessionActivityEventSchema],
  ] as const) {
    for await (const messages of dumpTopic({ ...common, topic: name }, log)) {
      for (const { value } of messages) {
        const record = value === null ? undefined : decoded(schema, value);
        if (record === undefined) read.unreadable += 1;
        else checker.add(record);
      }
    }
  }
}

function decoded<Schema extends DescMessage>(schema: Schema, value: Uint8Array): MessageShape<Schema> | undefined {
  try {
    return fromBinary(schema, value);
  } catch {
    return undefined;
  }
}
