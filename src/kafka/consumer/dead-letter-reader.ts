import type { TroubleLog } from "../../base/log.js";
import type { NativeConsumer, NativeOffset } from "../client/kafka-client.js";
import type { KafkaTrouble } from "../client/kafka-troubles.js";
import { type BystanderSettings, createBystander } from "./bystander.js";
import { answerOf, committedOffsets, partitionsOf, watermarksOf } from "./client-answers.js";
import { type DeadLetter, readDeadLetter } from "./dead-letter.js";
import { readRange } from "./partition-range.js";

/** Which dead letters are read, and by whom. */
export interface DeadLetterSource extends BystanderSettings {
  readonly deadLetterTopic: string;
  /** How many are read at most. */
  readonly limit: number;
}

/** The next dead letters, and how to note that they are done with. */
export interface DeadLetterBatch {
  readonly letters: readonly DeadLetter[];
  /** Commits in the group that it has gone on beyond these. Rejects if no broker takes that. */
  done(letters: readonly DeadLetter[]): Promise<void>;
}

/** How many are looked at before it is noted that they are done with. */
const batchSize = 100;

/**
 * Reads the dead letters that are there now, in batches, each partition in its order. It begins with those that the group is
 * not done with, or with `all` at the oldest. Rejects if there is no such topic, or if no broker answers.
 */
export async function* readDeadLetters(
  source: DeadLetterSource,
  { all }: { readonly all: boolean },
  log: TroubleLog<KafkaTrouble>,
): AsyncGenerator<DeadLetterBatch, void, void> {
  const properties = { ...source.properties, "enable.partition.eof": true };
  const bystander = await createBystander({ ...source, properties }, log);
  try {
    const { client } = bystander;
    const { deadLetterTopic: topic, limit } = source;
    const range = await rangeOf(client, topic, all);
    for await (const messages of readRange(client, topic, { ...range, limit, batchSize })) {
      const done = (letters: readonly DeadLetter[]): Promise<void> => commit(client, letters);
      yield { letters: messages.map(readDeadLetter), done };
    }
  } finally {
    await bystander.close();
  }
}

/** Where each partition is begun, and where it ends now: what comes later is for the next time. */
async function rangeOf(
  client: NativeConsumer,
  topic: string,
  all: boolean,
): Promise<{ readonly from: ReadonlyMap<number, number>; readonly to: ReadonlyMap<number, number> }> {
  const partitions = await partitionsOf(client, topic);
  if (partitions.length === 0) throw new Error(`there is no topic ${topic}`);
  const committed = all ? undefined : await committedOffsets(client, topic, partitions);
  const marks = [...(await watermarksOf(client, topic, partitions))];
  const from = marks.map(([partition, { lowOffset }]) => {
    return [partition, Math.max(lowOffset, committed?.get(partition) ?? lowOffset)] as const;
  });
  return { from: new Map(from), to: new Map(marks.map(([partition, { highOffset }]) => [partition, highOffset])) };
}

async function commit(client: NativeConsumer, letters: readonly DeadLetter[]): Promise<void> {
  const next = new Map(
    letters.map(({ record: { topic, partition, offset } }) => [partition, { topic, partition, offset: offset + 1 }]),
  );
  if (next.size === 0) return;
  await answerOf<readonly NativeOffset[]>((answer) => client.commitCb([...next.values()], answer));
}
