import { describe, expect, it } from "vitest";
import { type LoadReading, outsideLoad } from "../../bench/kit/outside-load.js";

type Process = readonly [pid: number, parent: number, ticks: number, reapedTicks?: number];

function reading(busy: number, all: number, processes: readonly Process[]): LoadReading {
  const named = processes.map(([pid, parent, ticks, reapedTicks = 0]) => {
    return [pid, { pid, parent, ticks, reapedTicks, name: `p${pid}` }] as const;
  });
  return { machine: { busy, all }, processes: new Map(named) };
}

const own = 100;

describe("the load of others", () => {
  it("is what neither this process nor those that it started used", () => {
    const before = reading(0, 0, [
      [1, 0, 0],
      [own, 1, 0],
      [101, own, 0],
      [102, 101, 0],
      [200, 1, 0],
    ]);
    const after = reading(100, 1_000, [
      [1, 0, 0],
      [own, 1, 10],
      [101, own, 20],
      [102, 101, 30],
      [200, 1, 40],
    ]);
    expect(outsideLoad(before, after, own)).toEqual({ share: 0.04, busiest: "p200 (200) 4.0 %" });
  });

  it("holds what processes used that came and went", () => {
    const before = reading(0, 0, [[own, 1, 0]]);
    expect(outsideLoad(before, reading(300, 1_000, [[own, 1, 100]]), own).share).toBeCloseTo(0.2);
  });

  it("is nothing if one of ours ends, which leaves all it ever used to its parent", () => {
    const before = reading(0, 0, [
      [own, 1, 5],
      [101, own, 500],
    ]);
    const after = reading(50, 1_000, [[own, 1, 5, 550]]);
    expect(outsideLoad(before, after, own).share).toBe(0);
  });

  it("is still seen while one of ours ends", () => {
    const before = reading(0, 0, [
      [own, 1, 5],
      [101, own, 500],
      [200, 1, 0],
    ]);
    const after = reading(150, 1_000, [
      [own, 1, 5, 550],
      [200, 1, 100],
    ]);
    expect(outsideLoad(before, after, own).share).toBeCloseTo(0.1);
  });

  it("has nothing of the kernel's threads, which write what brokers store", () => {
    const before = reading(0, 0, [
      [2, 0, 0],
      [30, 2, 0],
      [own, 1, 0],
    ]);
    const after = reading(100, 1_000, [
      [2, 0, 0],
      [30, 2, 100],
      [own, 1, 0],
    ]);
    expect(outsideLoad(before, after, own).share).toBe(0);
  });

  it("names those who used most first", () => {
    const before = reading(0, 0, [
      [own, 1, 0],
      [7, 1, 0],
      [8, 1, 0],
    ]);
    const after = reading(300, 1_000, [
      [own, 1, 0],
      [7, 1, 100],
      [8, 1, 200],
    ]);
    expect(outsideLoad(before, after, own).busiest).toBe("p8 (8) 20.0 %, p7 (7) 10.0 %");
  });
});
