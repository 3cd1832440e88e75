import { expect, it } from "vitest";
import { SequenceGaps } from "../../src/console/sequence-gaps.js";
import { createRandom } from "../support/random.js";

const later = 60_000;

it("finds what did not come, in whatever order the rest came", () => {
  const random = createRandom(7);
  for (let round = 0; round < 200; round += 1) {
    const missing = new Set(Array.from({ length: random.below(6) }, () => 2 + random.below(97)));
    const gaps = new SequenceGaps();
    // The first number that is seen is where the looking begins.
    gaps.seen(1n, 0);
    const numbers = Array.from({ length: 99 }, (_, index) => index + 2).filter((number) => !missing.has(number));
    for (const number of random.shuffle(numbers)) gaps.seen(BigInt(number), 0);
    gaps.given(100n, 0);
    expect(gaps.count(later)).toBe(BigInt(missing.size));
  }
});

it("waits before it calls something missing, and takes back what came late or was declared", () => {
  const gaps = new SequenceGaps();
  gaps.seen(5n, 0);
  gaps.seen(8n, 1_000);
  expect(gaps.count(2_000)).toBe(0n);
  expect(gaps.count(later)).toBe(2n);
  gaps.seen(6n, later);
  expect(gaps.count(later)).toBe(1n);
  gaps.seen(7n, later);
  expect(gaps.count(later)).toBe(0n);
});

it("knows nothing of what was before it has looked", () => {
  const gaps = new SequenceGaps();
  gaps.seen(1_000n, 0);
  gaps.seen(3n, 0);
  expect(gaps.highest).toBe(1_000n);
  expect(gaps.count(later)).toBe(0n);
});

it("has bounds: a stranger's numbers take no memory, and no time", () => {
  const gaps = new SequenceGaps();
  for (let number = 1; number <= 100_000; number += 2) gaps.seen(BigInt(number), 0);
  gaps.seen(2n ** 64n - 1n, 0);
  expect(gaps.count(later)).toBe(49_999n + (2n ** 64n - 1n - 99_999n - 1n));
});
