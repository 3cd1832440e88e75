import fc from "fast-check";
import { expect, test } from "vitest";
import { NumberSet } from "../../src/trail/number-set.js";

/** Numbers around the ends of its pages, where its mistakes would be. */
const numbers = fc.oneof(
  fc.integer({ min: 1, max: 40 }),
  fc.integer({ min: 4_080, max: 4_110 }),
  fc.integer({ min: 8_180, max: 8_200 }),
  fc.constantFrom(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1, 2 ** 40),
);
/** A whole page, or a stretch over its end, in one go. */
const stretches = fc.record({
  first: fc.constantFrom(1, 2, 4_000, 4_096, 4_097),
  count: fc.constantFrom(90, 4_095, 4_096, 4_200),
});
const additions = fc
  .array(fc.oneof(numbers, stretches), { maxLength: 25 })
  .map((parts) =>
    parts.flatMap((part) =>
      typeof part === "number" ? [part] : Array.from({ length: part.count }, (_, index) => part.first + index),
    ),
  );

function expand(ranges: readonly { first: number; last: number }[]): number[] {
  return ranges.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, index) => first + index));
}

test("holds what a Set holds, in any order", () => {
  fc.assert(
    fc.property(additions, fc.boolean(), (added, isBackwards) => {
      const set = new NumberSet();
      const model = new Set<number>();
      for (const number of isBackwards ? added.toReversed() : added) {
        // An expectation for each would take most of the time.
        if (set.add(number) === model.has(number)) expect.fail(`${number} is new: ${!model.has(number)}`);
        model.add(number);
      }
      const ranges = set.ranges();
      expect(expand(ranges)).toEqual([...model].sort((one, other) => one - other));
      expect(set.size).toBe(model.size);
      for (const [index, range] of ranges.slice(1).entries())
        expect(range.first).toBeGreaterThan(ranges[index]!.last + 1);
    }),
    { numRuns: 200 },
  );
});

test("takes a bit a number for those that come in any order, and one range if none is missing", () => {
  const count = 300_000;
  const set = new NumberSet();
  const order = Uint32Array.from({ length: count }, (_, index) => index + 1);
  let seed = 1;
  for (let index = count - 1; index > 0; index -= 1) {
    seed = (seed * 48_271) % 2_147_483_647;
    const other = seed % (index + 1);
    [order[index], order[other]] = [order[other]!, order[index]!];
  }
  const startedAt = performance.now();
  for (const number of order) set.add(number);
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  expect(set.ranges()).toEqual([{ first: 1, last: count }]);
});
