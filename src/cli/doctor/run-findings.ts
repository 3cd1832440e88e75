import { errorMessage } from "../../base/errors.js";
import { createTroubleLog } from "../../base/log.js";
import { cutText } from "../../base/text.js";
import type { NativeMessage } from "../../kafka/client/kafka-client.js";
import { openTopic, type TopicReader, type TopicSource } from "../../kafka/consumer/topic-reader.js";
import { createRunChecker, type RunChecker } from "../../trail/run-checker.js";
import type { RunCondition, RunReport } from "../../trail/run-report.js";
import { decodedEvent, decodedRun } from "../trail-record.js";
import { bad, type Finding, good, unchecked, warning } from "./finding.js";
import { commandFor, type KafkaTopics } from "./skipped-checks.js";

/** Which run records are read, and how. */
export type RunsUnderTest = KafkaTopics & Omit<TopicSource, "topic">;

const hourMs = 3_600_000;
/** The record before the range says where a run was when the range began. */
const earlierMs = 600_000;
/** More records of a topic are left to `session-activity check`, which takes its time. */
const maxRecords = 100_000;
/** How long doctor reads at most. */
const patienceMs = 15_000;

/** What was read of a topic. */
type Reading = { readonly kind: "read"; readonly count: number } | { readonly kind: "unread"; readonly why: string };

/** Looks at the runs of the last hour: do they run, have they declared losses, and do numbers have holes? It reads so much and no more. */
export async function* findRuns(kafka: RunsUnderTest, ending: AbortSignal): AsyncGenerator<Finding, void, void> {
  const command = commandFor("Runs", kafka);
  const signal = AbortSignal.any([ending, AbortSignal.timeout(patienceMs)]);
  const checker = createRunChecker({ from: new Date(Date.now() - hourMs) });
  const records = await readLast(kafka, kafka.runsTopic, signal, (message) => add(checker, decodedRun(message)));
  if (records.kind === "unread" || records.count === 0) {
    const why = records.kind === "unread" ? records.why : "there are none of the last hour";
    yield unchecked("Runs", `${why}: without run records nobody can tell whether events are missing`, command);
    return;
  }
  const { runs } = checker.report();
  yield findingOfConditions(runs, command);
  const events = await readLast(kafka, kafka.topic, signal, (message) => add(checker, decodedEvent(message)));
  if (events.kind === "read") yield* findMissing(checker.report().runs, command);
  else yield unchecked("Losses and holes", events.why, command);
}

function add(checker: RunChecker, record: Parameters<RunChecker["add"]>[0] | undefined): void {
  if (record !== undefined) checker.add(record);
}

/** Reads what a topic has of the last hour, and of some minutes before. */
async function readLast(
  kafka: RunsUnderTest,
  topic: string,
  signal: AbortSignal,
  take: (message: NativeMessage) => void,
): Promise<Reading> {
  try {
    const reader = await openTopic({ ...kafka, topic }, createTroubleLog(false), signal);
    try {
      return await readFrom(reader, topic, signal, take);
    } finally {
      await reader.close();
    }
  } catch (error) {
    return { kind: "unread", why: `${topic} cannot be read (${errorMessage(error)})` };
  }
}

async function readFrom(
  reader: TopicReader,
  topic: string,
  signal: AbortSignal,
  take: (message: NativeMessage) => void,
): Promise<Reading> {
  const from = await reader.offsetsAt(Date.now() - hourMs - earlierMs);
  const marks = await reader.marks();
  const to = new Map([...marks].map(([partition, { highOffset }]) => [partition, highOffset]));
  const count = [...to].reduce((sum, [partition, end]) => sum + Math.max(0, end - (from.get(partition) ?? end)), 0);
  if (count > maxRecords) {
    return { kind: "unread", why: `${topic} has ${count} records of the last hour, and doctor reads ${maxRecords}` };
  }
  for await (const messages of reader.read({ from, to }, signal)) for (const message of messages) take(message);
  if (signal.aborted) return { kind: "unread", why: `${topic} could not be read within ${patienceMs / 1_000} s` };
  return { kind: "read", count };
}

const conditions: Readonly<Record<RunCondition, string>> = {
  open: "open",
  ended: "closed by themselves",
  recovered: "closed by another process",
  silent: "silent, to be closed by whoever adopts their spool",
  dead: "dead, their tail unknown",
  unrecorded: "without a record",
};

function findingOfConditions(runs: readonly RunReport[], command: string): Finding {
  const counted = Object.entries(conditions).flatMap(([condition, words]) => {
    const count = runs.filter((run) => run.condition === condition).length;
    return count === 0 ? [] : [`${count} ${words}`];
  });
  const says = `in the last hour: ${counted.join("; ") || "none"}`;
  if (runs.some(({ condition }) => condition === "dead" || condition === "silent")) {
    return warning("Runs", says, `see which ones, and start what should run and does not: ${command}`);
  }
  return good("Runs", says);
}

/** What was given a number and is not there. */
function* findMissing(runs: readonly RunReport[], command: string): Generator<Finding, void, void> {
  const lost = new Map<string, number>();
  let missing = 0;
  for (const run of runs) {
    for (const { reason, count } of run.lost) lost.set(reason, (lost.get(reason) ?? 0) + count);
    missing += run.missing.count;
  }
  const sum = [...lost.values()].reduce((all, count) => all + count, 0);
  if (sum > 0) {
    const says = `${sum} events of the last hour are declared lost: ${reasonsOf(lost)}`;
    yield bad("Losses", says, `see which ones: ${command}; and "Reasons in dropped" in docs/operations.md`);
  } else yield good("Losses", "no event of the last hour is declared lost");
  if (missing > 0) {
    const says = `${missing} events of the last hour are missing, and nobody says why`;
    yield bad("Holes", says, `see which ones, and keep both topics: ${command}`);
  } else yield good("Holes", "no event of the last hour is missing, up to the last record of each run");
}

const maxReasons = 5;
const maxReasonText = 40;

/** Some reasons: whoever may write to the topic may have written any. */
function reasonsOf(lost: ReadonlyMap<string, number>): string {
  const shown = [...lost].slice(0, maxReasons).map(([reason, count]) => `${cutText(reason, maxReasonText)} ${count}`);
  return `${shown.join(", ")}${lost.size > maxReasons ? ", …" : ""}`;
}
