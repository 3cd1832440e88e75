import { createTroubleLog, type TroubleLog } from "../base/log.js";
import type { KafkaTrouble } from "../kafka/client/kafka-troubles.js";
import type { DeadLetter } from "../kafka/consumer/dead-letter.js";
import { readDeadLetters } from "../kafka/consumer/dead-letter-reader.js";
import { type LeftOutReason, retryDeadLetters } from "../kafka/consumer/dead-letter-retry.js";
import { type Command, optionLines } from "./command.js";
import { type DeadLettersOrder, deadLettersOptions, readDeadLettersArguments } from "./dead-letters-arguments.js";

/** `session-activity dead-letters`. */
export const deadLettersCommand: Command = {
  name: "dead-letters",
  summary: "Lists the records that a consumer has set aside, or writes them back to their topic",
  help: () => `Usage: session-activity dead-letters list|retry --brokers HOST:PORT --dead-letter-topic TOPIC [options]

list   prints a line for each dead letter that was not retried: when and why it was set aside, where its record stood, the
       size of its value, and where the letter stands. Nothing of what is in it.
retry  writes their records back to their topic, as they were, and remembers how far it is. After a crash, a record may be
       written twice. What cannot be retried is left out, with a line that says why.

Options:
${optionLines(deadLettersOptions)}

TLS and SASL come from the variables SESSION_TRACKING_KAFKA_* that services have, too.

Exit codes: 0 when it is done, 1 when it cannot go on, 2 for wrong arguments.
`,
  prepare(args) {
    const order = readDeadLettersArguments(args);
    return () => run(order, createTroubleLog(undefined), (line) => void process.stdout.write(`${line}\n`));
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
  print: (line: string) => void,
): Promise<void> {
  if (action === "list") {
    let listed = 0;
    for await (const { letters } of readDeadLetters(settings, { all: settings.all }, log)) {
      listed += letters.length;
      for (const letter of letters) print(lineOf(letter));
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
          print(`Left out: ${lineOf(result.letter)}: ${leftOutTexts[result.leftOut]}`);
        }
      },
      log,
    );
  } finally {
    print(`Retried: ${retried}, left out: ${leftOut}`);
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
