import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { SessionActivityEventSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { asideKey, endOf, finishedKey, finishedPrefix, lastKey, runOfStart, startedPrefix } from "./spool-keys.js";
import type { SpoolEntry, SpoolOperation, SpoolStore } from "./spool-store.js";

/** So many calls are ended in one write. */
const usuallyAtOnce = 500;

/**
 * Ends the calls of a spool whose process has died: each becomes an event that says `interrupted`, without a status, with the
 * next number of its run. The number is fixed by the same write that removes the start, so that whoever is interrupted in turn
 * makes no second event of a call. Resolves to how many there were.
 */
export async function endInterruptedCalls(store: SpoolStore, atOnce: number = usuallyAtOnce): Promise<number> {
  const lastNumbers = new Map<string, bigint>();

  async function operationsFor({ key, value, sealed }: SpoolEntry): Promise<SpoolOperation[]> {
    const run = runOfStart(key);
    const sequence = (lastNumbers.get(run) ?? (await lastNumber(store, run))) + 1n;
    const removal: SpoolOperation = { type: "del", key };
    const bytes = value && interruptedEvent(value, sequence);
    if (bytes === undefined) return [removal, { type: "keep", key: asideKey("damaged", key), sealed }];
    lastNumbers.set(run, sequence);
    return [
      removal,
      { type: "put", key: finishedKey({ instanceId: run, sequence }), value: bytes },
      noteLast(run, sequence),
    ];
  }

  for (let ended = 0; ; ) {
    const entries = await store.read({ after: startedPrefix, before: endOf(startedPrefix), limit: atOnce });
    if (entries.length === 0) return ended;
    const operations: SpoolOperation[] = [];
    for (const entry of entries) operations.push(...(await operationsFor(entry)));
    await store.write(operations);
    ended += entries.length;
  }
}

/** The last number that a run has given. */
export async function lastNumber(store: SpoolStore, run: string): Promise<bigint> {
  const noted = await store.get(lastKey(run));
  return noted === undefined ? highestStored(store, run) : numberOf(noted);
}

/** Notes the last number of a run. */
export function noteLast(run: string, sequence: bigint): SpoolOperation {
  return { type: "put", key: lastKey(run), value: Buffer.from(sequence.toString()) };
}

/** The number that such a note holds. */
export function numberOf(value: Uint8Array): bigint {
  return BigInt(Buffer.from(value).toString());
}

/** If the note is missing or damaged, no number can be lower than one that is in the store. */
async function highestStored(store: SpoolStore, run: string): Promise<bigint> {
  const prefix = `${finishedPrefix}${run}/`;
  let highest = 0n;
  for (let after = prefix; ; ) {
    const entries = await store.read({ after, before: endOf(prefix), limit: usuallyAtOnce });
    const last = entries.at(-1);
    if (last === undefined) return highest;
    highest = BigInt(`0x${last.key.slice(prefix.length)}`);
    after = last.key;
  }
}

function interruptedEvent(start: Uint8Array, sequence: bigint): Uint8Array | undefined {
  try {
    const event = fromBinary(SessionActivityEventSchema, start);
    return toBinary(SessionActivityEventSchema, { ...event, sequence, interrupted: true });
  } catch {
    return undefined;
  }
}
