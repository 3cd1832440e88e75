import { describe, expect, it } from "vitest";
import { cpuBetween, type Thread, threadsOf } from "../../bench/kit/thread-cpu.js";

const threads = (...all: readonly [tid: number, name: string, us: number][]): ReadonlyMap<number, Thread> =>
  new Map(all.map(([tid, name, us]) => [tid, { name, us }]));

it("tells the main thread, librdkafka's and all others apart", () => {
  const before = threads([10, "node", 100], [11, "rdk:main", 50], [12, "V8Worker", 10]);
  const after = threads([10, "node", 300], [11, "rdk:main", 80], [12, "V8Worker", 15], [13, "rdk:broker1", 7]);
  expect(cpuBetween(10, before, after)).toEqual({ allUs: 242, mainUs: 200, kafkaUs: 37, otherUs: 5 });
});

describe.runIf(process.platform === "linux")("of this process", () => {
  it("sees what the main thread burns", () => {
    const before = threadsOf(process.pid);
    const burnt = (): number => process.cpuUsage().user + process.cpuUsage().system;
    const end = burnt() + 50_000;
    while (burnt() < end);
    const { allUs, mainUs } = cpuBetween(process.pid, before, threadsOf(process.pid));
    expect(mainUs).toBeGreaterThan(25_000);
    expect(allUs).toBeGreaterThanOrEqual(mainUs);
  });
});
