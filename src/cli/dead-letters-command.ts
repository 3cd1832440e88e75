import type { TroubleLog } from "../base/log.js";
import type { KafkaTrouble } from "../kafka/client/kafka-troubles.js";
import type { DeadLetter } from "../kafka/consumer/dead-letter.js";
import { readDeadLetters } from "../kafka/consumer/dead-letter-reader.js";
import { type LeftOutReason, retryDeadLetters } from "../kafka/consumer/dead-letter-retry.js";
import type { Command } from "./command.js";
import { type DeadLettersOrder, deadLettersOptions, readDeadLettersArguments } from "./dead-letters-arguments.js";
import { endingMeanings } from "./exit-codes.js";
import type { Terminal } from "./terminal.js";
import { troubleLogOf } from "./terminal-log.js";

/** `session-activity dead-letters`. */
export const deadLettersCommand: Command = {
  name: "dead-letters",
  summary: "Lists the records that a consumer has set aside, or writes them back to their topic",
  help: {
    usage: "list|retry --brokers HOST:PORT --dead-letter-topic TOPIC [options]",
    about: `list   prints a line for each dead letter that was not retried: when and why it was set aside, where its record stood, the
       size of its value, and where the letter stands. Nothing of what is in it.
retry  writes their records back to their topic, as they were, and remembers how far it is. After a crash, a record may be
       written twice. What cannot be retried is left out, with a line that says why.`,
    options: deadLettersOptions,
    notes: "TLS and SASL come from the variables SESSION_TRACKING_KAFKA_* that services have, too.",
    examples: [
      {
        does: "See what was set aside, and why",
        line: "session-activity dead-letters list --brokers kafka.internal:9092 --dead-letter-topic session-activities-dead",
      },
      {
        does: "Write it back after the cause was mended",
        line: "session-activity dead-letters retry --brokers kafka.internal:9092 --dead-letter-topic session-activities-dead",
      },
    ],
    endings: { interrupted: endingMeanings.interrupted, terminated: endingMeanings.terminated },
  },
  prepare(args) {
    const order = readDeadLettersArguments(args);
    return (terminal) => run(order, troubleLogOf(terminal), terminal);
  },
};

const leftOutTexts: Readonly<Record<LeftOutReason, string>> = {
  no_origin: "it does not say where it came from",
  other_topic: "it came from another topic: name that with --topic",
  partial: "a part of its record is left out: it was too large for the dead letters",
  refused: "Kafka does not take its record",
};

async function run(
  { action, settings }: DeadLettersOrder,
  log: TroubleLog<KafkaTrouble>,
  terminal: Terminal,
): Promise<void> {
  const print = (line: string): Promise<void> => terminal.write(`${line}\n`);
  if (action === "list") {
    let listed = 0;
    for await (const { letters } of readDeadLetters(settings, { all: settings.all }, log)) {
      listed += letters.length;
      for (const letter of letters) await print(lineOf(letter));
      if (terminal.ending.aborted) return;
    }
    return print(`Dead letters: ${listed}${listed < settings.limit ? "" : ", and perhaps more: see --limit"}`);
  }
  let retried = 0;
  let leftOut = 0;
  try {
    await retryDeadLetters(
      settings,
      (result) => {
        if (result.leftOut === undefined) {
          retried += 1;
        } else {
          leftOut += 1;
          void print(`Left out: ${lineOf(result.letter)}: ${leftOutTexts[result.leftOut]}`);
        }
      },
      log,
    );
  } finally {
    await print(`Retried: ${retried}, left out: ${leftOut}`);
  }
}

/** What may be told of a dead letter. Its key, headers and value may hold a session context. */
function lineOf({ record, origin, reason, valueBytes, isPartial }: DeadLetter): string {
  const from = origin === undefined ? "of unknown origin" : placeOf(origin);
  const size = `${valueBytes} bytes${isPartial ? ", left out" : ""}`;
  return `${timeOf(record.timestampMs)} ${from} ${reason ?? "for an unknown reason"} (${size}; letter ${placeOf(record)})`;
}

/** Whoever writes a record may give it any time. */
function timeOf(timestampMs: number | undefined): string {
  const time = new Date(timestampMs ?? Number.NaN);
  return Number.isNaN(time.getTime()) ? "at an unknown time" : time.toISOString();
}

function placeOf({ topic, partition, offset }: { topic: string; partition: number; offset: number }): string {
  return `${topic}/${partition}@${offset}`;
}
