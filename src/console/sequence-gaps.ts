/** The numbers from one to another, and when it was first seen that they are missing. */
interface Gap {
  from: bigint;
  to: bigint;
  readonly since: number;
}

/** The partitions of a topic are not read evenly: what is missing for less long than this may still be on its way. */
const settleMs = 30_000;
/** If there are more gaps than this in a run, the oldest ones are only counted, and what comes late is not taken off. */
const maxGaps = 100;

/** Which numbers of a run did not come, of those that should have since it is looked. */
export class SequenceGaps {
  #highest: bigint | undefined;
  #gaps: Gap[] = [];
  #counted = 0n;

  /** An event with this number came, or a record declares it as lost. */
  seen(number: bigint, now: number): void {
    this.#fill(number);
    this.#extend(number - 1n, now);
    if (this.#highest === undefined || number > this.#highest) this.#highest = number;
  }

  /** The run says that it has given all numbers up to this one. */
  given(last: bigint, now: number): void {
    this.#extend(last, now);
    if (this.#highest === undefined || last > this.#highest) this.#highest = last;
  }

  /** The highest number that came or was given. Undefined if nothing is known yet. */
  get highest(): bigint | undefined {
    return this.#highest;
  }

  /** How many numbers are missing that can hardly come any more. */
  count(now: number): bigint {
    const settled = this.#gaps.filter(({ since }) => now - since >= settleMs);
    return settled.reduce((sum, { from, to }) => sum + to - from + 1n, this.#counted);
  }

  /** Notes that all from the highest number to this one are missing. Nothing is known of what was before the first number. */
  #extend(to: bigint, now: number): void {
    if (this.#highest === undefined || to <= this.#highest) return;
    this.#gaps.push({ from: this.#highest + 1n, to, since: now });
    if (this.#gaps.length <= maxGaps) return;
    const oldest = this.#gaps.shift();
    if (oldest !== undefined) this.#counted += oldest.to - oldest.from + 1n;
  }

  #fill(number: bigint): void {
    const index = this.#gaps.findIndex(({ from, to }) => from <= number && number <= to);
    const gap = this.#gaps[index];
    if (gap === undefined) return;
    const { from, to, since } = gap;
    const left = [
      { from, to: number - 1n, since },
      { from: number + 1n, to, since },
    ].filter((part) => part.from <= part.to);
    this.#gaps.splice(index, 1, ...left);
  }
}
