import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseMachineStat, parseProcessStat, parseSchedstat } from "../../bench/kit/proc-files.js";

describe("/proc/stat", () => {
  const text = "cpu  100 20 30 4000 50 6 7 8 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\nintr 12345\n";

  it("counts as busy what processes used and what the hypervisor took, and no interrupts", () => {
    expect(parseMachineStat(text).busy).toBe(100 + 20 + 30 + 8);
  });
  it("counts all time", () => expect(parseMachineStat(text).all).toBe(100 + 20 + 30 + 4000 + 50 + 6 + 7 + 8));
});

describe("/proc/PID/stat", () => {
  const rest = "S 12 1 1 0 -1 4194560 1 2 3 4 500 60 70 8 20 0 11 0 100 0 0";

  it.each(["node", "a b", "rdk:broker1", "x) R 1 (y"])("is read with the name %j", (name) => {
    expect(parseProcessStat(`345 (${name}) ${rest}`)).toEqual({
      pid: 345,
      name,
      parent: 12,
      ticks: 560,
      reapedTicks: 78,
    });
  });
});

it("reads the time on a CPU in microseconds", () => expect(parseSchedstat("123456789 42 7\n")).toBe(123_456.789));

describe.runIf(process.platform === "linux")("of this process", () => {
  it("is what Node says, too", () => {
    const { pid, parent, ticks } = parseProcessStat(readFileSync("/proc/self/stat", "utf8"));
    const { user, system } = process.cpuUsage();
    expect([pid, parent]).toEqual([process.pid, process.ppid]);
    // A tick is a hundredth of a second, for each of user and system time.
    expect(Math.abs(ticks * 10_000 - user - system)).toBeLessThan(200_000);
  });
});
