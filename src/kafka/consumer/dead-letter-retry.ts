import { failureOf } from "../../base/failure.js";
import type { TroubleLog } from "../../base/log.js";
import { loadKafkaClient } from "../client/kafka-client.js";
import type { KafkaTrouble } from "../client/kafka-troubles.js";
import { type DeadLetter, originalOf } from "./dead-letter.js";
import { type DeadLetterSource, readDeadLetters } from "./dead-letter-reader.js";
import { createRecordWriter, type RecordWriter } from "./record-writer.js";

/** What is retried, and where that goes. */
export interface RetrySettings extends DeadLetterSource {
  /** The topic that records are written back to. Letters that name another one are left out: they may be made up. */
  readonly topic: string;
}

/**
 * Why a dead letter cannot be retried.
 *
 * - `no_origin`: it does not say where it came from
 * - `other_topic`: it came from another topic than the one that is written to
 * - `partial`: a part of its record is left out
 * - `refused`: Kafka will never take its record, for one because the topic allows smaller ones only
 */
export type LeftOutReason = "no_origin" | "other_topic" | "partial" | "refused";

/** What became of a dead letter. */
export interface RetriedLetter {
  readonly letter: DeadLetter;
  /** Undefined if its record was written back. */
  readonly leftOut: LeftOutReason | undefined;
}

/**
 * Writes the records of dead letters back to their topic, and tells of each what became of it. Those that it tells of are done
 * with: the group of the source remembers. Rejects with what does not heal by leaving one out; the letters from there on are
 * for the next time. After a crash, a record may be written twice.
 */
export async function retryDeadLetters(
  settings: RetrySettings,
  tell: (retried: RetriedLetter) => void,
  log: TroubleLog<KafkaTrouble>,
): Promise<void> {
  const writer = createRecordWriter(loadKafkaClient(), settings, log);
  try {
    for await (const { letters, done } of readDeadLetters(settings, { all: false }, log)) {
      const results = await Promise.allSettled(letters.map((letter) => retry(writer, settings.topic, letter)));
      const failure = results.findIndex(({ status }) => status === "rejected");
      const settled = results.slice(0, failure === -1 ? undefined : failure);
      const retried = settled.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
      await done(retried.map(({ letter }) => letter));
      for (const one of retried) tell(one);
      const failed = results[failure];
      if (failed?.status === "rejected") throw failed.reason;
    }
  } finally {
    await writer.close();
  }
}

async function retry(writer: RecordWriter, topic: string, letter: DeadLetter): Promise<RetriedLetter> {
  const { origin, isPartial } = letter;
  if (origin === undefined) return { letter, leftOut: "no_origin" };
  if (origin.topic !== topic) return { letter, leftOut: "other_topic" };
  if (isPartial) return { letter, leftOut: "partial" };
  try {
    await writer.write(topic, originalOf(letter));
    return { letter, leftOut: undefined };
  } catch (error) {
    if (failureOf(error) !== "poison") throw error;
    return { letter, leftOut: "refused" };
  }
}
