import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { pause } from "../support/until.js";

/** A broker in a process of its own, for faults that no function call can bring about. */
export interface BrokerProcess {
  readonly address: string;
  /** SIGKILL: its connections break, and what it held is gone. */
  kill(): Promise<void>;
  /** SIGSTOP: its connections stand and nothing answers. Resolves when that has taken effect. */
  freeze(): Promise<void>;
  /** SIGCONT */
  thaw(): void;
}

const running = new Set<ChildProcess>();

/** Starts a broker in a child process. */
export async function startBroker(): Promise<BrokerProcess> {
  const script = fileURLToPath(new URL("broker-process.mjs", import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: ["pipe", "pipe", "inherit"] });
  running.add(child);
  const [address] = await once(createInterface(child.stdout), "line");
  return {
    address: String(address),
    kill: () => kill(child),
    async freeze() {
      child.kill("SIGSTOP");
      while (!isStopped(child.pid)) await pause(1);
    },
    thaw: () => void child.kill("SIGCONT"),
  };
}

/** On a busy machine some threads go on for a while. Where there is no /proc to look at, this is not seen. */
function isStopped(pid: number | undefined): boolean {
  const threads = `/proc/${pid}/task`;
  if (!existsSync(threads)) return true;
  return readdirSync(threads).every((thread) => / T /.test(readFileSync(`${threads}/${thread}/stat`, "utf8")));
}

/** Kills what is still running. Call it after each test. */
export async function killBrokers(): Promise<void> {
  await Promise.all([...running].map(kill));
}

async function kill(child: ChildProcess): Promise<void> {
  if (!running.delete(child)) return;
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}
