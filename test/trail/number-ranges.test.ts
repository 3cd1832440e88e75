import fc from "fast-check";
import { expect, test } from "vitest";
import { countOf, intersect, type NumberRange, subtract } from "../../src/trail/number-ranges.js";

const sets = fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { maxLength: 20 });

function rangesOf(numbers: readonly number[]): NumberRange[] {
  const sorted = numbers.toSorted((one, other) => one - other);
  return sorted
    .filter((number) => !numbers.includes(number - 1))
    .map((first) => {
      let last = first;
      while (numbers.includes(last + 1)) last += 1;
      return { first, last };
    });
}

function numbersOf(ranges: readonly NumberRange[]): number[] {
  return ranges.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, index) => first + index));
}

const sorted = (numbers: readonly number[]): number[] => numbers.toSorted((one, other) => one - other);

test("subtracts and intersects as sets do", () => {
  fc.assert(
    fc.property(sets, sets, (some, others) => {
      const [left, right] = [rangesOf(some), rangesOf(others)];
      expect(countOf(left)).toBe(some.length);
      expect(numbersOf(intersect(left, right))).toEqual(sorted(some.filter((one) => others.includes(one))));
      expect(numbersOf(subtract(left, right))).toEqual(sorted(some.filter((one) => !others.includes(one))));
    }),
  );
});

test("takes ranges without an end", () => {
  const all = [{ first: 1, last: Number.MAX_SAFE_INTEGER }];
  expect(intersect([{ first: 3, last: 5 }], all)).toEqual([{ first: 3, last: 5 }]);
  expect(subtract(all, [{ first: 3, last: Number.MAX_SAFE_INTEGER }])).toEqual([{ first: 1, last: 2 }]);
});
