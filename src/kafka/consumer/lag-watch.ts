import type { NativeWatermarks } from "../client/kafka-client.js";

/** What tells where partitions end. */
export interface EndsSource {
  /** As the last answer with records had it: a partition that is paused gets none. */
  watermarks(partition: number): NativeWatermarks | undefined;
  /** Asks a broker. Rejects if none answers. */
  askWatermarks(partitions: readonly number[]): Promise<ReadonlyMap<number, NativeWatermarks>>;
}

/** Knows how many records of a partition are not handled yet, as far as the brokers have said. */
export class LagWatch {
  readonly #source: EndsSource;
  readonly #startsAtEnd: boolean;
  #asked: ReadonlyMap<number, NativeWatermarks> = new Map();
  #asking = false;

  /** Given where ends are known from, and whether a group without offsets begins at the end. */
  constructor(source: EndsSource, startsAtEnd: boolean) {
    this.#source = source;
    this.#startsAtEnd = startsAtEnd;
  }

  /** Records from `next` to the end. Without a `next`, the group has not begun in this partition. */
  lagOf(partition: number, next: number | undefined): number {
    const marks = this.#asked.get(partition) ?? this.#source.watermarks(partition);
    if (marks === undefined) return 0;
    const from = next ?? (this.#startsAtEnd ? marks.highOffset : marks.lowOffset);
    return Math.max(0, marks.highOffset - Math.max(from, marks.lowOffset));
  }

  /** Asks where these partitions end now, of which nothing is fetched. Never rejects. */
  async ask(partitions: readonly number[]): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      this.#asked = partitions.length === 0 ? new Map() : await this.#source.askWatermarks(partitions);
    } catch {
      // No broker answers, which the log tells of. What was known last stays.
    }
    this.#asking = false;
  }
}
