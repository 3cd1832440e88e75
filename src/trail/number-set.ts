import type { NumberRange } from "./number-ranges.js";

const pageSize = 4_096;
const bitsPerWord = 32;

interface Range {
  first: number;
  last: number;
}

/** Which numbers of a stretch there are. */
interface Page {
  readonly words: Uint32Array;
  count: number;
}

/**
 * Numbers from 1, that come in any order. What is whole becomes a range: a run of which nothing is missing takes one. What has
 * holes takes a bit for each number around them.
 */
export class NumberSet {
  /** Sorted, with holes between them. None of their numbers is in a page. */
  readonly #ranges: Range[] = [];
  readonly #pages: Map<number, Page> = new Map();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds a number. Answers whether it is new. */
  add(number: number): boolean {
    const index = this.#indexBefore(number);
    const before = this.#ranges[index];
    if (before !== undefined && number <= before.last) return false;
    if (this.#isInPage(number)) return false;
    this.#size += 1;
    if (number === 1 || before?.last === number - 1 || this.#ranges[index + 1]?.first === number + 1)
      this.#insert(number, number);
    else this.#addToPage(number);
    return true;
  }

  /** All ranges, sorted. */
  ranges(): NumberRange[] {
    const parts: Range[] = this.#ranges.map((range) => ({ ...range }));
    for (const [page, { words }] of this.#pages) parts.push(...rangesOf(page * pageSize, words));
    parts.sort((one, other) => one.first - other.first);
    const joined: Range[] = [];
    for (const part of parts) {
      const before = joined.at(-1);
      if (before?.last === part.first - 1) before.last = part.last;
      else joined.push(part);
    }
    return joined;
  }

  /** The last range that begins at this number or before. -1 if there is none. */
  #indexBefore(number: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle]?.first ?? 0) <= number) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Makes a range of these, joined with what they touch. */
  #insert(first: number, last: number): void {
    const range: Range = { first, last };
    while (this.#takeFromPage(range.last + 1)) range.last += 1;
    while (this.#takeFromPage(range.first - 1)) range.first -= 1;
    const index = this.#indexBefore(range.first) + 1;
    const next = this.#ranges[index];
    const joinsNext = next?.first === range.last + 1;
    if (joinsNext) range.last = next.last;
    const before = this.#ranges[index - 1];
    if (before?.last === range.first - 1) {
      before.last = range.last;
      if (joinsNext) this.#ranges.splice(index, 1);
    } else {
      this.#ranges.splice(index, joinsNext ? 1 : 0, range);
    }
  }

  #isInPage(number: number): boolean {
    const words = this.#pages.get(pageOf(number))?.words;
    return words !== undefined && ((words[wordOf(number)] ?? 0) & bitOf(number)) !== 0;
  }

  #addToPage(number: number): void {
    const key = pageOf(number);
    let page = this.#pages.get(key);
    if (page === undefined) {
      page = { words: new Uint32Array(pageSize / bitsPerWord), count: 0 };
      this.#pages.set(key, page);
    }
    const word = wordOf(number);
    page.words[word] = (page.words[word] ?? 0) | bitOf(number);
    page.count += 1;
    if (page.count < pageSize) return;
    this.#pages.delete(key);
    this.#insert(key * pageSize, key * pageSize + pageSize - 1);
  }

  /** Takes a number out of its page. Answers whether it was there. */
  #takeFromPage(number: number): boolean {
    if (!this.#isInPage(number)) return false;
    const key = pageOf(number);
    const page = this.#pages.get(key);
    if (page === undefined) return false;
    const word = wordOf(number);
    page.words[word] = (page.words[word] ?? 0) & ~bitOf(number);
    page.count -= 1;
    if (page.count === 0) this.#pages.delete(key);
    return true;
  }
}

function pageOf(number: number): number {
  return Math.floor(number / pageSize);
}

function wordOf(number: number): number {
  return Math.floor((number % pageSize) / bitsPerWord);
}

function bitOf(number: number): number {
  return 1 << (number % bitsPerWord);
}

function rangesOf(start: number, words: Uint32Array): Range[] {
  const ranges: Range[] = [];
  for (let index = 0; index < pageSize; index += 1) {
    if (((words[wordOf(index)] ?? 0) & bitOf(index)) === 0) continue;
    const number = start + index;
    const before = ranges.at(-1);
    if (before?.last === number - 1) before.last = number;
    else ranges.push({ first: number, last: number });
  }
  return ranges;
}
