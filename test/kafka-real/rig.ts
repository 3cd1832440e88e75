import { type ChildProcess, execFile, fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { PublisherStats } from "../../src/publishing/publisher.js";
import { root } from "../support/root.js";
import { until } from "../support/until.js";
import type { Verdict } from "./oracle.js";
import type { ServiceAnswer, ServiceSetting } from "./service.js";

type Answer<K extends ServiceAnswer["kind"]> = Extract<ServiceAnswer, { kind: K }>;

/** A running service, seen from outside. */
export interface Service {
  readonly port: number;
  stats(): Promise<Answer<"stats">>;
  /** Makes it make no more calls to itself. */
  stop(): Promise<void>;
  /** Resolves with the counts when nothing is queued. */
  settled(withinMs?: number): Promise<PublisherStats>;
  /**
   * Has an oracle compare the topic with what this service captured. What was delivered until `deletedUntil`, in ms since
   * 1970, stood on a topic of that name that was deleted.
   */
  reconcile(brokers: string, topic: string, deletedUntil?: number): Promise<Verdict>;
  close(): Promise<PublisherStats>;
  kill(): void;
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

const compiled = (name: string): string => join(root, ".cache", "kafka-real", "test", "kafka-real", `${name}.js`);

/** Compiles the service and the oracle, with the package as it stands. */
export function compileProcesses(): void {
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [tsc, "-p", join(root, "test", "kafka-real")],
    {
      encoding: "utf8",
    },
  );
  if (status !== 0) throw new Error(`tsc ended with ${status ?? signal}: ${stdout}${stderr}`);
}

/** Starts a service in a process of its own. */
export async function startService(setting: Omit<ServiceSetting, "notes">): Promise<Service> {
  const folder = mkdtempSync(join(tmpdir(), "service-"));
  const notes = join(folder, "notes.jsonl");
  const child = fork(compiled("service"), [JSON.stringify({ ...setting, notes })]);
  running.add(child);
  child.on("exit", () => {
    running.delete(child);
    rmSync(folder, { recursive: true, force: true });
  });
  const ended = once(child, "exit").then(([code, signal]) => {
    throw new Error(`the service ended by itself: ${String(code ?? signal)}`);
  });
  ended.catch(() => {
    // Seen by whoever waits for an answer.
  });

  async function ask<K extends ServiceAnswer["kind"]>(kind: K, message?: object): Promise<Answer<K>> {
    const answer = new Promise<Answer<K>>((resolve) => {
      const listen = (found: ServiceAnswer): void => {
        if (found.kind !== kind) return;
        child.off("message", listen);
        resolve(found as Answer<K>);
      };
      child.on("message", listen);
    });
    if (message !== undefined) child.send(message);
    return Promise.race([answer, ended]);
  }

  const { port } = await ask("ready");
  const stats = (): Promise<Answer<"stats">> => ask("stats", { ask: "stats" });
  return {
    port,
    stats,
    async stop() {
      await ask("stopped", { ask: "stop" });
    },
    async settled(withinMs = 60_000) {
      let found = await stats();
      const isSettled = async (): Promise<boolean> => {
        found = await stats();
        return found.stats.queued === 0;
      };
      await until(isSettled, () => found, withinMs);
      return found.stats;
    },
    async reconcile(brokers, topic, deletedUntil = 0) {
      await ask("noted", { ask: "noted" });
      const question = [compiled("oracle"), brokers, topic, notes, String(deletedUntil)];
      const { stdout } = await promisify(execFile)(process.execPath, question, { timeout: 90_000 });
      const verdict: Verdict = JSON.parse(stdout);
      return verdict;
    },
    async close() {
      const { stats: last } = await ask("closed", { ask: "close" });
      child.kill("SIGKILL");
      return last;
    },
    kill: () => void child.kill("SIGKILL"),
  };
}
