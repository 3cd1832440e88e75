import type { TroubleLog } from "../../base/log.js";
import type { NativeConsumer, NativeMessage, NativeOffset } from "../client/kafka-client.js";
import type { KafkaTrouble } from "../client/kafka-troubles.js";
import { type BystanderSettings, createBystander } from "./bystander.js";
import { answerOf, committedOffsets, partitionsOf, watermarksOf } from "./client-answers.js";
import { type DeadLetter, readDeadLetter } from "./dead-letter.js";

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

const batchSize = 100;
/** How long one question for records may take, and how long none may come. */
const consumeTimeoutMs = 200;
const patienceMs = 30_000;

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
    const range = await rangeOf(client, source.deadLetterTopic, all);
    for await (const messages of messagesIn(client, range, source.limit)) {
      const done = (letters: readonly DeadLetter[]): Promise<void> => commit(client, letters);
      yield { letters: messages.map(readDeadLetter), done };
    }
  } finally {
    await bystander.close();
  }
}

/** Where each partition is begun, and where it ends now: what comes later is for the next time. */
type Range = ReadonlyMap<number, { readonly begin: NativeOffset; readonly end: number }>;

async function rangeOf(client: NativeConsumer, topic: string, all: boolean): Promise<Range> {
  const partitions = await partitionsOf(client, topic);
  if (partitions.length === 0) throw new Error(`there is no topic ${topic}`);
  const committed = all ? undefined : await committedOffsets(client, topic, partitions);
  const marks = [...(await watermarksOf(client, topic, partitions))];
  const range = marks.map(([partition, { lowOffset, highOffset }]) => {
    const offset = Math.max(lowOffset, committed?.get(partition) ?? lowOffset);
    return [partition, { begin: { topic, partition, offset }, end: highOffset }] as const;
  });
  return new Map(range.filter(([, { begin, end }]) => begin.offset < end));
}

async function* messagesIn(
  client: NativeConsumer,
  range: Range,
  limit: number,
): AsyncGenerator<readonly NativeMessage[], void, void> {
  const open = new Set(range.keys());
  client.on("partition.eof", ({ partition }) => open.delete(partition));
  client.setDefaultConsumeTimeout(consumeTimeoutMs);
  client.assign([...range.values()].map(({ begin }) => begin));
  let left = limit;
  let lastMs = performance.now();
  while (open.size > 0 && left > 0) {
    const messages = await answerOf<readonly NativeMessage[]>((answer) =>
      client.consume(Math.min(batchSize, left), answer),
    );
    if (messages.length > 0) lastMs = performance.now();
    else if (performance.now() - lastMs > patienceMs) throw new Error("no broker gives out the dead letters");
    for (const { partition, offset } of messages) {
      if (offset + 1 >= (range.get(partition)?.end ?? 0)) open.delete(partition);
    }
    const own = messages.filter(({ partition, offset }) => offset < (range.get(partition)?.end ?? 0));
    left -= own.length;
    if (own.length > 0) yield own;
  }
}

async function commit(client: NativeConsumer, letters: readonly DeadLetter[]): Promise<void> {
  const next = new Map(
    letters.map(({ record: { topic, partition, offset } }) => [partition, { topic, partition, offset: offset + 1 }]),
  );
  if (next.size === 0) return;
  await answerOf<readonly NativeOffset[]>((answer) => client.commitCb([...next.values()], answer));
}
