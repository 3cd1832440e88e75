import { describe, expect, it } from "vitest";
import { median, ratios, spreadOf } from "../../bench/kit/statistics.js";
import { seededRandom } from "../support/random.js";

const oneTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe("median", () => {
  it.each([
    [[3], 3],
    [[1, 9, 2], 2],
    [[4, 1, 3, 2], 2.5],
  ])("of %j is %d", (values, expected) => expect(median(values)).toBe(expected));
});

describe("the interval of a median", () => {
  // From tables of the sign test: the ranks, counted from 1, of the bounds at 95 %.
  it.each([
    [5, 1, 5],
    [6, 1, 6],
    [8, 1, 8],
    [9, 2, 8],
    [12, 3, 10],
    [15, 4, 12],
    [20, 6, 15],
    [50, 18, 33],
  ])("of %i values reaches from the %ith to the %ith", (count, low, high) => {
    const values = oneTo(count).toReversed();
    expect(spreadOf(values)).toEqual({ median: (count + 1) / 2, low, high });
  });

  it("holds the true median in 95 of 100 cases, however skewed the values are", () => {
    const random = seededRandom(7);
    const draw = (): number => -Math.log(1 - random());
    const trials = 2_000;
    let held = 0;
    for (let trial = 0; trial < trials; trial++) {
      const { low, high } = spreadOf(Array.from({ length: 15 }, draw));
      if (low <= Math.LN2 && Math.LN2 <= high) held += 1;
    }
    expect(held / trials).toBeGreaterThan(0.95);
    expect(held / trials).toBeLessThan(0.985);
  });
});

describe("ratios", () => {
  it("are taken value by value", () => expect(ratios([2, 9], [1, 3])).toEqual([2, 3]));
  it("are not taken of series that differ in length", () => expect(() => ratios([1], [1, 2])).toThrow("1 values"));
});
