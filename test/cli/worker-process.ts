import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { createTroubleLog } from "../../src/base/log.js";
import type { HistoryWorkerStats } from "../../src/cli/history-worker.js";
import type { HistoryWorkerOptions } from "../../src/cli/worker-options.js";
import { consumerSettings } from "../../src/kafka/consumer/consumer-settings.js";
import { type GroupProgress, watchGroup } from "../../src/kafka/consumer/group-progress.js";
import { dist } from "../support/program.js";
import { pause, until } from "../support/until.js";

/** A worker in a process of its own. */
export interface WorkerProcess {
  /** What it said last. */
  stats(): HistoryWorkerStats | undefined;
  recorded(): number;
  /** SIGKILL */
  kill(): Promise<void>;
  /** Ends it in order. */
  close(): Promise<void>;
}

/** Starts a worker in a process of its own, until the test is over. The database is an address or a folder. */
export function startWorkerProcess(
  options: Omit<HistoryWorkerOptions, "database" | "log"> & {
    readonly database: string;
    /** How long each statement waits at least, one after another. */
    readonly statementMs?: number;
  },
): WorkerProcess {
  const script = fileURLToPath(new URL("worker-process.mjs", import.meta.url));
  const child = spawn(process.execPath, [script, dist, JSON.stringify(options)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exit = once(child, "exit");
  let last: HistoryWorkerStats | undefined;
  createInterface(child.stdout).on("line", (line) => {
    last = JSON.parse(line) as HistoryWorkerStats;
  });
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exit;
  };
  onTestFinished(kill);
  return {
    stats: () => last,
    recorded: () => last?.history.recorded ?? 0,
    kill,
    async close() {
      child.stdin.write("close\n");
      await exit;
    },
  };
}

/** How far a group is, seen from outside. */
export function watchedGroup(kafka: HistoryWorkerOptions["kafka"]): GroupProgress {
  const settings = consumerSettings({ ...kafka, handle() {}, onInvalid() {} });
  const group = watchGroup(settings, createTroubleLog(undefined));
  onTestFinished(() => group.close());
  return group;
}

/**
 * How long a worker in a process of its own may take: an embedded database may need 30 s to make itself, and the embedded broker
 * lets nobody into a group of the older protocol for 44 s after the last member has left.
 */
export const slowStartMs = 90_000;

/** Lets a worker go on until it has committed offsets more than once: it does so each second. */
export async function untilCommitted(worker: WorkerProcess): Promise<void> {
  await until(() => worker.recorded() > 500, worker.stats, slowStartMs);
  await pause(2_000);
}
