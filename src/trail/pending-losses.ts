import { create, toBinary } from "@bufbuild/protobuf";
import { SessionActivityRunSchema } from "../../gen/sessionactivity/v1/session_activity_run_pb.js";
import type { EventRecord } from "../publishing/event-record.js";
import { leafHash } from "../publishing/leaf-hash.js";
import type { LossReason } from "../publishing/publisher.js";

/** So many bytes of losses go in one record: far below what any broker takes. About 1,200 losses. */
const chunkBytes = 64 * 1024;
/** So many of them may wait: 16 MiB, about 300,000 losses. */
const maxChunks = 256;

/** Losses that one record declares. */
export interface LossChunk {
  /** They, as they stand in the binary form of a run record. */
  readonly bytes: Uint8Array;
  readonly count: number;
}

/** Losses that no delivered record has declared yet, oldest first, in a bounded memory. */
export class PendingLosses {
  #chunks: Chunk[] = [];
  #unnamed = 0;

  /** How many wait. */
  get count(): number {
    return this.#chunks.reduce((sum, { count }) => sum + count, 0);
  }

  /** How many were too many to be kept. */
  get unnamed(): number {
    return this.#unnamed;
  }

  /** Whether one record can declare all. */
  get fitsOne(): boolean {
    return this.#chunks.length <= 1;
  }

  /** An event was lost. Answers whether the loss is kept. */
  add(record: EventRecord, reason: LossReason): boolean {
    const loss = encodedLoss(record, reason);
    let chunk = this.#chunks.at(-1);
    if (chunk === undefined || chunk.isTaken || !chunk.hasRoomFor(loss.length)) {
      if (this.#chunks.length >= maxChunks) {
        this.#unnamed += 1;
        return false;
      }
      chunk = new Chunk();
      this.#chunks.push(chunk);
    }
    chunk.add(loss, 1);
    return true;
  }

  /** The oldest losses. They stay here until it is known what became of the record that declares them. */
  take(): LossChunk | undefined {
    const chunk = this.#chunks[0];
    if (chunk !== undefined) chunk.isTaken = true;
    return chunk;
  }

  /** Kafka has the record of what was taken. */
  declared(): void {
    this.#chunks.shift();
  }

  /** Kafka will never take what was taken, since it is too large. */
  giveUp(): void {
    this.#unnamed += this.#chunks.shift()?.count ?? 0;
  }

  /** The record of what was taken was lost. */
  putBack(): void {
    const [first, second] = this.#chunks;
    if (first === undefined) return;
    first.isTaken = false;
    // Otherwise, each failure would leave a chunk of its own.
    if (second === undefined || !first.hasRoomFor(second.bytes.length)) return;
    first.add(second.bytes, second.count);
    this.#chunks.splice(1, 1);
  }
}

class Chunk implements LossChunk {
  readonly #buffer: Uint8Array = new Uint8Array(chunkBytes);
  #used = 0;
  #count = 0;
  isTaken = false;

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#used);
  }

  get count(): number {
    return this.#count;
  }

  hasRoomFor(bytes: number): boolean {
    return this.#used + bytes <= chunkBytes;
  }

  add(bytes: Uint8Array, count: number): void {
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
    this.#count += count;
  }
}

/** The bytes of a record with this loss only: those of several such records, one after the other, are a record with all. */
function encodedLoss({ sequence, bytes }: EventRecord, reason: LossReason): Uint8Array {
  const loss = { sequence, leafHash: leafHash(bytes), reason };
  return toBinary(SessionActivityRunSchema, create(SessionActivityRunSchema, { losses: [loss] }));
}
