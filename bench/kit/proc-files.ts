// What Linux tells of CPU time, as it writes it. See proc(5).

/** CPU time of the whole machine since its start, in ticks. */
export interface MachineTicks {
  /** What processes and the kernel's threads used, and what the hypervisor took away. */
  readonly busy: number;
  readonly all: number;
}

/**
 * Reads `/proc/stat`. Time in interrupts counts as spent and not as busy: on loopback, it is the work of those who send, and no
 * process has it on its account.
 */
export function parseMachineStat(text: string): MachineTicks {
  const line = /^cpu +(.*)$/m.exec(text)?.[1];
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] =
    line?.split(" ").map(Number) ?? [];
  const busy = user + nice + system + steal;
  return { busy, all: busy + idle + iowait + irq + softirq };
}

/** One line of `/proc/PID/stat`. */
export interface ProcessStat {
  readonly pid: number;
  readonly name: string;
  readonly parent: number;
  /** CPU time of all its threads, also of those that have ended, in ticks. */
  readonly ticks: number;
  /** The same of its children that have ended. */
  readonly reapedTicks: number;
}

/** Reads `/proc/PID/stat`. The name may hold spaces and brackets. */
export function parseProcessStat(text: string): ProcessStat {
  const [open, close] = [text.indexOf("("), text.lastIndexOf(")")];
  const fields = text.slice(close + 2).split(" ");
  const field = (number: number): number => Number(fields[number - 3]);
  return {
    pid: Number(text.slice(0, open - 1)),
    name: text.slice(open + 1, close),
    parent: field(4),
    ticks: field(14) + field(15),
    reapedTicks: field(16) + field(17),
  };
}

/** Reads `/proc/PID/task/TID/schedstat`: time on a CPU, in microseconds. */
export function parseSchedstat(text: string): number {
  return Number(text.split(" ", 1)[0]) / 1_000;
}
