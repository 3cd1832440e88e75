import type { NativeMessage, NativeWatermarks } from "../client/kafka-client.js";

/** A partition that went on elsewhere than it should have. */
export interface OffsetReset {
  readonly partition: number;
  /** Where the group was. */
  readonly from: number;
  /** Where it went on. */
  readonly to: number;
  /** How many records between the two were deleted. */
  readonly missed: number;
}

/**
 * Sees that records are gone which a partition should have gone on with: retention has deleted them, or the topic was deleted
 * and made again. Offsets may be left out for other reasons too, by compaction and transactions, so the ends of the partition
 * decide.
 */
export class OffsetWatch {
  readonly #watermarks: (partition: number) => NativeWatermarks | undefined;
  readonly #next: Map<number, number> = new Map();

  /** Given what says where a partition begins and ends, as far as that is known. */
  constructor(watermarks: (partition: number) => NativeWatermarks | undefined) {
    this.#watermarks = watermarks;
  }

  /** Notes where the group is in a partition. Undefined if it has not begun, or nobody knows. */
  begin(partition: number, next: number | undefined): void {
    if (next === undefined) this.#next.delete(partition);
    else this.#next.set(partition, next);
  }

  /** Where fetching goes on in a partition. Undefined if nobody knows. */
  next(partition: number): number | undefined {
    return this.#next.get(partition);
  }

  /** Takes note of records of one partition, and answers with the resets before them. */
  received(messages: readonly NativeMessage[]): OffsetReset[] {
    const resets: OffsetReset[] = [];
    for (const { partition, offset } of messages) {
      const next = this.#next.get(partition);
      if (next !== undefined && next !== offset) resets.push(...this.#resetOf(partition, next, offset));
      this.#next.set(partition, offset + 1);
    }
    return resets;
  }

  #resetOf(partition: number, from: number, to: number): OffsetReset[] {
    const marks = this.#watermarks(partition);
    if (marks === undefined) return [];
    const { lowOffset, highOffset } = marks;
    // All that was there is gone, so nobody knows how many there were.
    if (to < from) return highOffset < from ? [{ partition, from, to, missed: 0 }] : [];
    return lowOffset > from ? [{ partition, from, to, missed: Math.min(lowOffset, to) - from }] : [];
  }
}
