import { describe, expect, it } from "vitest";
import {
  type Checks,
  differenceOf,
  inTurn,
  interleave,
  joinSamples,
  judge,
  ratioOf,
  type Samples,
} from "../../bench/kit/comparison.js";
import { seededRandom } from "../support/random.js";

const checks: Checks = { figure: "us", twins: ["a", "a again"] };
const rounds = 15;

/** Rounds on a machine that drifts to the half of its speed, on which each value is off by up to two percent. */
function measured(costs: Readonly<Record<string, number>>): Samples {
  const random = seededRandom(3);
  const drift = (round: number): number => 1 + round / rounds;
  const noise = (): number => 1 + (random() - 0.5) * 0.04;
  const series = (cost: number) =>
    Array.from({ length: rounds }, (_, round) => ({ us: cost * drift(round) * noise() }));
  return new Map(Object.entries(costs).map(([name, cost]) => [name, series(cost)]));
}

describe("a comparison", () => {
  it("finds out a cost of five percent on a machine that drifts", () => {
    const { median, low, high } = ratioOf(measured({ a: 100, slower: 105 }), "slower", "a", "us");
    expect(Math.abs(median - 1.05)).toBeLessThan(0.015);
    expect(low).toBeGreaterThan(1.02);
    expect(high).toBeLessThan(1.08);
  });

  it("subtracts round by round", () => {
    const samples: Samples = new Map([
      ["a", [{ us: 1 }, { us: 10 }]],
      ["b", [{ us: 3 }, { us: 12 }]],
    ]);
    expect(differenceOf(samples, "b", "a", "us")).toEqual({ median: 2, low: 2, high: 2 });
  });

  it("says so when something was not measured", () => {
    expect(() => ratioOf(measured({ a: 1 }), "b", "a", "us")).toThrow("b was not measured");
  });
});

describe("trust", () => {
  it("is given to twins that agree", () => {
    expect(judge(measured({ a: 100, "a again": 100 }), checks).isTrusted).toBe(true);
  });

  it("is not given to twins that are three percent apart", () => {
    const { isTrusted, reason } = judge(measured({ a: 100, "a again": 103 }), checks);
    expect(isTrusted).toBe(false);
    expect(reason).toMatch(/^the A\/A pair is at 1\.0[234]\d \(/);
  });

  it("is not given to twins that agree by chance", () => {
    const scattered: Samples = new Map([
      ["a", [1, 1, 1, 1, 1, 1, 1].map((us) => ({ us }))],
      ["a again", [0.5, 0.7, 0.9, 1, 1.1, 1.3, 1.5].map((us) => ({ us }))],
    ]);
    expect(judge(scattered, checks).isTrusted).toBe(false);
    expect(judge(scattered, checks).precision).toBeCloseTo(0.5);
    const generous = judge(scattered, { ...checks, doubt: 0.5 });
    expect(generous.isTrusted).toBe(true);
    expect(generous.reason).toContain("so what is less than 50 % apart may be equal");
  });

  it.each([
    [105, true],
    [100, false],
    [110, false],
  ])("is given where a control of 1.05 comes out as %i of 100: %s", (cost, isTrusted) => {
    const samples = measured({ a: 100, "a again": 100, control: cost });
    const control = { name: "control", against: "a", factor: 1.05 };
    expect(judge(samples, { ...checks, control }).isTrusted).toBe(isTrusted);
  });
});

describe("rounds", () => {
  it("begin with each variant, and run in both directions", () => {
    const orders = [0, 1, 2, 3, 4, 5].map((round) => inTurn(["a", "b", "c"], round).join(""));
    expect(orders).toEqual(["abc", "cba", "bca", "acb", "cab", "bac"]);
  });

  it("measure each variant once, after one that does not count", async () => {
    const calls: string[] = [];
    const variants = ["a", "b"].map((name) => ({
      name,
      measure: () => Promise.resolve({ us: calls.push(name) }),
    }));
    let looks = 0;
    const samples = await interleave({ variants, rounds: 2 }, () => (looks += 1));
    expect(calls.join("")).toBe("abbaba");
    expect([samples.get("a"), samples.get("b")]).toEqual([
      [{ us: 4 }, { us: 6 }],
      [{ us: 3 }, { us: 5 }],
    ]);
    expect(looks).toBe(3);
  });

  it("begin anew from time to time, and warm up then", async () => {
    const calls: string[] = [];
    const variants = ["a", "b"].map((name) => ({ name, measure: () => Promise.resolve({ us: calls.push(name) }) }));
    const clearing = { clear: () => Promise.resolve(calls.push("-")), everyRounds: 2 };
    const samples = await interleave({ variants, rounds: 3, clearing }, () => {});
    expect(calls.join("")).toBe("ab-abbaba-abab");
    expect(samples.get("a")).toEqual([{ us: 7 }, { us: 9 }, { us: 13 }]);
  });

  it("of several generations are put together", () => {
    const part = (us: number): Samples => new Map([["a", [{ us }]]]);
    expect(joinSamples([part(1), part(2)]).get("a")).toEqual([{ us: 1 }, { us: 2 }]);
  });
});
