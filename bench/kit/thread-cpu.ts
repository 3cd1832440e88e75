import { readdirSync, readFileSync } from "node:fs";
import { parseSchedstat } from "./proc-files.js";

/** CPU time of a process, in microseconds, by what its threads do. */
export interface ThreadCpu {
  readonly allUs: number;
  /** JavaScript, and what it waits for. */
  readonly mainUs: number;
  /** librdkafka's threads. */
  readonly kafkaUs: number;
  /** Garbage collection, compilation, and the thread pool. */
  readonly otherUs: number;
}

/** One thread at one moment. */
export interface Thread {
  readonly name: string;
  readonly us: number;
}

/** The threads of a process by their ids. One that ends while this reads is left out. */
export function threadsOf(pid: number): ReadonlyMap<number, Thread> {
  const folder = `/proc/${pid}/task`;
  const threads = new Map<number, Thread>();
  for (const tid of readdirSync(folder)) {
    const us = readOrUndefined(`${folder}/${tid}/schedstat`);
    const name = readOrUndefined(`${folder}/${tid}/comm`);
    if (us !== undefined && name !== undefined) threads.set(Number(tid), { name: name.trim(), us: parseSchedstat(us) });
  }
  return threads;
}

/** What the threads of a process used from one moment to the next. */
export function cpuBetween(
  pid: number,
  before: ReadonlyMap<number, Thread>,
  after: ReadonlyMap<number, Thread>,
): ThreadCpu {
  const [sums, main] = [{ main: 0, kafka: 0, other: 0 }, pid];
  for (const [tid, { name, us }] of after) {
    const kind = tid === main ? "main" : name.startsWith("rdk:") ? "kafka" : "other";
    sums[kind] += us - (before.get(tid)?.us ?? 0);
  }
  return {
    allUs: sums.main + sums.kafka + sums.other,
    mainUs: sums.main,
    kafkaUs: sums.kafka,
    otherUs: sums.other,
  };
}

function readOrUndefined(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
