// Reads a topic from its beginning each time it is asked: `node consumer-process.js CONFIG`, a SourceConfig in JSON.
import { randomUUID } from "node:crypto";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { answerParent } from "../kit/peer-process.js";
import { cpuBetween, type ThreadCpu, threadsOf } from "../kit/thread-cpu.js";
import { read } from "./event-source.js";
import type { SourceConfig } from "./source-config.js";

/** How many events there are. */
export interface ReadQuestion {
  readonly count: number;
}

/** From the first event to the last one, so without the time that it takes to join a group. */
export interface ReadAnswer extends ThreadCpu {
  readonly seconds: number;
  readonly longestStallMs: number;
}

const config = JSON.parse(process.argv[2] ?? "{}") as SourceConfig;
const { pid } = process;

async function readAll({ count }: ReadQuestion): Promise<ReadAnswer> {
  const delays = monitorEventLoopDelay({ resolution: 1 });
  let taken = 0;
  let start = 0;
  let before: ReturnType<typeof threadsOf> = new Map();
  let finish: (answer: ReadAnswer) => void = () => {};
  const all = new Promise<ReadAnswer>((resolve) => (finish = resolve));
  const took = (events: number): void => {
    if (taken === 0) {
      start = performance.now();
      before = threadsOf(pid);
      delays.enable();
    }
    const isLast = taken < count && taken + events >= count;
    taken += events;
    // In a turn of its own: the delay is known when the loop comes round again.
    if (isLast) {
      const seconds = (performance.now() - start) / 1_000;
      const cpu = cpuBetween(pid, before, threadsOf(pid));
      setTimeout(() => finish({ ...cpu, seconds, longestStallMs: delays.max / 1e6 }), 20);
    }
  };
  const close = await read(config, { groupId: `bench-${randomUUID()}`, took });
  const answer = await all;
  delays.disable();
  await close();
  return answer;
}

answerParent(readAll);
