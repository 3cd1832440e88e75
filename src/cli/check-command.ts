import type { NativeMessage } from "../kafka/client/kafka-client.js";
import { createRunChecker, type RunChecker } from "../trail/run-checker.js";
import type { RangeReport } from "../trail/run-report.js";
import { type CheckSettings, checkOptions, readCheckArguments } from "./check-arguments.js";
import { linesOfReport } from "./check-report.js";
import type { Command } from "./command.js";
import type { Ending } from "./exit-codes.js";
import type { ReadingSettings } from "./reading-arguments.js";
import { beginningsOf, openReader, progressOf } from "./record-stream.js";
import type { Terminal } from "./terminal.js";
import { troubleLogOf } from "./terminal-log.js";
import { readTrailFile } from "./trail-file.js";
import { decodedEvent, decodedRun } from "./trail-record.js";

/** `session-activity check`. */
export const checkCommand: Command = {
  name: "check",
  summary: "Tells whether all events of a range of time are there, by the records of their runs",
  help: {
    usage: "--brokers HOST:PORT [options], or --files FILES [options]",
    about: `Reads run records and events, and prints a line for each run and a verdict on the range. Of each run it says which numbers are
there, declared lost with the reason, missing, or unknown because the run is open.`,
    options: checkOptions,
    notes: `A file has a line for each event and each run record, in protobuf's JSON: what session-activity export writes, and what other
tools write from the topics. With --since, give files that begin 10 minutes earlier.

TLS and SASL come from the variables SESSION_TRACKING_KAFKA_* that services have, too. Reading needs the rights READ and
DESCRIBE on both topics.`,
    examples: [
      {
        does: "Is anything missing of yesterday?",
        line: "session-activity check --brokers kafka.internal:9092 --since 2026-11-26 --until 2026-11-27",
      },
      {
        does: "And of the last hours? An open run is known up to its last record, so the range ends before",
        line: "session-activity check --brokers kafka.internal:9092 --since 2h --until 10m",
      },
      {
        does: "The same from files, for example years later",
        line: "session-activity check --files 2026-11-26-events.jsonl,2026-11-26-runs.jsonl",
      },
    ],
    endings: {
      done: "the range is complete",
      negative: "the range is incomplete: something is missing, or declared lost",
      unknown: "it cannot be told, for example since a run is open or died without a spool",
    },
  },
  prepare(args) {
    const settings = readCheckArguments(args);
    return (terminal) => run(settings, terminal);
  },
};

/** What was read beside what the checker knows. */
interface Read {
  unreadable: number;
}

async function run(settings: CheckSettings, terminal: Terminal): Promise<Ending> {
  const { since: from, until: to } = settings;
  const checker = createRunChecker({ from: dateOf(from), to: dateOf(to) });
  const read: Read = { unreadable: 0 };
  if (settings.files === undefined) await checkTopics(checker, settings, read, terminal);
  else for (const path of settings.files) await checkFile(checker, path, read);
  // What was read in part says nothing.
  if (terminal.ending.aborted) return "done";
  const report = checker.report();
  const { unreadable } = read;
  const text = settings.json
    ? JSON.stringify({ ...report, unreadable }, undefined, 2)
    : linesOfReport(report, unreadable).join("\n");
  await terminal.write(`${text}\n`);
  return endingOf(report);
}

function dateOf(moment: number | undefined): Date | undefined {
  return moment === undefined ? undefined : new Date(moment);
}

function endingOf({ verdict }: RangeReport): Ending {
  if (verdict.kind === "unknown") return "unknown";
  return verdict.kind === "complete" ? "done" : "negative";
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
async function checkTopics(
  checker: RunChecker,
  settings: CheckSettings,
  read: Read,
  terminal: Terminal,
): Promise<void> {
  const { brokers = "", topic, runsTopic, since } = settings;
  const from = since && since - earlierMs;
  for (const [name, decode] of [
    [runsTopic, decodedRun],
    [topic, decodedEvent],
  ] as const) {
    for await (const message of messagesOf(
      { ...settings, brokers, reveal: false, topic: name, since: from },
      terminal,
    )) {
      const record = decode(message);
      if (record === undefined) read.unreadable += 1;
      else checker.add(record);
    }
  }
}

/** What a topic has now, from a moment on. */
async function* messagesOf(settings: ReadingSettings, terminal: Terminal): AsyncGenerator<NativeMessage, void, void> {
  const { ending } = terminal;
  const reader = await openReader(settings, troubleLogOf(terminal), ending);
  try {
    const marks = await reader.marks();
    const range = {
      from: await beginningsOf(reader, settings.since),
      to: new Map([...marks].map(([partition, { highOffset }]) => [partition, highOffset])),
    };
    const show = progressOf(range, terminal, `${settings.topic}: read`);
    for await (const messages of reader.read(range, ending)) {
      yield* messages;
      show(messages);
    }
  } finally {
    await reader.close();
  }
}
