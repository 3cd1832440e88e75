import type { NativeConsumer, NativeMessage, NativeOffset } from "../client/kafka-client.js";
import { answerOf } from "./client-answers.js";

/** What is read of a topic. */
interface Range {
  /** The partitions, and where each is begun. */
  readonly from: ReadonlyMap<number, number>;
  /** Where each ends: what comes later is not read. Without it, there is no end. */
  readonly to?: ReadonlyMap<number, number> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How many records are read at most. */
  readonly limit?: number | undefined;
  /** How many a batch has at most. */
  readonly batchSize?: number | undefined;
}

const defaultBatchSize = 250;
/** How long one question for records may take. It parks a thread, and an end that was asked for waits for it. */
const consumeTimeoutMs = 200;
/** How long no broker may give out records of a range that has an end. */
const patienceMs = 30_000;

/**
 * Reads a range of a topic in batches, the records of one partition in their order. The client must have
 * `enable.partition.eof`, and stops at nothing else. Rejects if no broker gives out records up to the end of the range.
 */
export async function* readRange(
  client: NativeConsumer,
  topic: string,
  { from, to, signal, limit = Number.POSITIVE_INFINITY, batchSize = defaultBatchSize }: Range,
): AsyncGenerator<readonly NativeMessage[], void, void> {
  const open = new Set([...from].filter(([partition, offset]) => offset < endOf(to, partition)).map(([id]) => id));
  const ended = ({ partition }: NativeOffset): void => {
    // A range without an end has none yet.
    if (to !== undefined) open.delete(partition);
  };
  client.on("partition.eof", ended);
  client.setDefaultConsumeTimeout(consumeTimeoutMs);
  client.setDefaultIsTimeoutOnlyForFirstMessage(true);
  client.assign([...open].map((partition) => ({ topic, partition, offset: from.get(partition) ?? 0 })));
  const isEnded = (): boolean => signal?.aborted === true;
  let left = limit;
  let lastMs = performance.now();
  try {
    while (open.size > 0 && left > 0 && !isEnded()) {
      const messages = await answerOf<readonly NativeMessage[]>((done) =>
        client.consume(Math.min(batchSize, left), done),
      );
      if (messages.length > 0) lastMs = performance.now();
      else if (to !== undefined && performance.now() - lastMs > patienceMs)
        throw new Error("no broker gives out records");
      for (const { partition, offset } of messages) if (offset + 1 >= endOf(to, partition)) open.delete(partition);
      const own = messages.filter(({ partition, offset }) => offset < endOf(to, partition));
      left -= own.length;
      if (own.length > 0) yield own;
    }
  } finally {
    client.unassign();
    client.removeListener("partition.eof", ended);
  }
}

function endOf(to: Range["to"], partition: number): number {
  return to === undefined ? Number.POSITIVE_INFINITY : (to.get(partition) ?? 0);
}
