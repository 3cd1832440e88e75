import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { type MachineTicks, type ProcessStat, parseMachineStat, parseProcessStat } from "./proc-files.js";

/** The share of the CPU that others may use. */
export const outsideLimit = 0.05;
/** Over how long that is taken: what wakes up for a moment is no reason to stop. */
const windowMs = 5_000;
/** Linux gives the kernel's threads to this process. They write what brokers and databases store. */
const kernelThreads = 2;

/** CPU time at one moment. */
export interface LoadReading {
  readonly machine: MachineTicks;
  readonly processes: ReadonlyMap<number, ProcessStat>;
}

/** What was used by none of ours. */
export interface OutsideLoad {
  /** Of all CPUs together, from 0 to 1. */
  readonly share: number;
  /** Those that used most, by their names. */
  readonly busiest: string;
}

/** The machine is not ours alone, so that no figure is worth anything. */
export class BusyMachineError extends Error {}

/** Looks for processes outside the benchmark. */
export interface OutsideWatch {
  /** Looks for some seconds, before anything is measured. */
  begin(): Promise<void>;
  /** Looks at the time since it last did. Throws a {@link BusyMachineError} if others used too much, and that is not allowed. */
  check(): void;
  /** The highest share so far. */
  highest(): number;
}

export function createOutsideWatch({ allowed }: { readonly allowed: boolean }): OutsideWatch {
  let last = readLoad();
  let lastAt = performance.now();
  let highest = 0;

  function look(): void {
    const reading = readLoad();
    const { share, busiest } = outsideLoad(last, reading, process.pid);
    [last, lastAt] = [reading, performance.now()];
    highest = Math.max(highest, share);
    if (share <= outsideLimit || allowed) return;
    throw new BusyMachineError(
      `processes outside the benchmark use ${percent(share)} of the CPU, and may use ${percent(outsideLimit)}: ${busiest}. Stop them, or pass --busy-machine, which the report then says`,
    );
  }

  return {
    async begin() {
      await delay(windowMs / 2);
      look();
    },
    check() {
      if (performance.now() - lastAt >= windowMs) look();
    },
    highest: () => highest,
  };
}

/** What was used between two readings by processes that this one did not start. */
export function outsideLoad(before: LoadReading, after: LoadReading, own: number): OutsideLoad {
  const all = after.machine.all - before.machine.all;
  const used = (pid: number): number => {
    const [first, second] = [before.processes.get(pid), after.processes.get(pid)];
    return second === undefined ? 0 : totalOf(second) - (first === undefined ? 0 : totalOf(first));
  };
  const inside = new Set([...descendants(own, after.processes), ...descendants(kernelThreads, after.processes)]);
  let outside = after.machine.busy - before.machine.busy;
  for (const pid of inside) outside -= used(pid);
  // Whoever has ended left all he ever used to his parent.
  for (const pid of descendants(own, before.processes)) {
    const ended = after.processes.has(pid) ? undefined : before.processes.get(pid);
    if (ended !== undefined) outside += totalOf(ended);
  }
  const others = [...after.processes.values()].filter(({ pid }) => !inside.has(pid) && used(pid) > 0);
  const busiest = others.sort((a, b) => used(b.pid) - used(a.pid)).slice(0, 3);
  return {
    share: Math.max(0, outside) / all,
    busiest: busiest.map(({ pid, name }) => `${name} (${pid}) ${percent(used(pid) / all)}`).join(", "),
  };
}

function totalOf({ ticks, reapedTicks }: ProcessStat): number {
  return ticks + reapedTicks;
}

/** A process, and all that it and its children started. */
function descendants(root: number, processes: ReadonlyMap<number, ProcessStat>): ReadonlySet<number> {
  const found = new Set([root]);
  // A set that grows while it is walked: those that are added come next.
  for (const pid of found) for (const one of processes.values()) if (one.parent === pid) found.add(one.pid);
  return found;
}

function readLoad(): LoadReading {
  const processes = new Map<number, ProcessStat>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      processes.set(Number(entry), parseProcessStat(readFileSync(`/proc/${entry}/stat`, "utf8")));
    } catch {
      // It has ended meanwhile.
    }
  }
  return { machine: parseMachineStat(readFileSync("/proc/stat", "utf8")), processes };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
