import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isRunning, spawnServer } from "../support/server-process.js";

/** One Kafka node, which is broker and controller, in a process of its own. It can be started again after its end. */
export interface KafkaNode {
  readonly id: number;
  readonly port: number;
  readonly pid: number | undefined;
  readonly running: boolean;
  /** Resolves when it takes connections. */
  start(): Promise<void>;
  /** SIGTERM: it hands its partitions over, and ends. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGSTOP. Resolves when no thread runs any more. */
  freeze(): Promise<void>;
  /** SIGCONT */
  thaw(): void;
  /** The last lines of its log. */
  log(): string;
}

/** How a node is started. */
export interface NodeLaunch {
  readonly id: number;
  readonly port: number;
  readonly folder: string;
  readonly classPath: string;
  readonly jvmOptions: readonly string[];
}

/** A node whose folder holds `server.properties` and is formatted. It does not run yet. */
export function kafkaNode(launch: NodeLaunch): KafkaNode {
  const logFile = join(launch.folder, "server.log");
  let child: ChildProcess | undefined;

  const log = (): string =>
    existsSync(logFile) ? readFileSync(logFile, "utf8").split("\n").slice(-60).join("\n") : "(no log)";

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (!isRunning(child)) return;
    const exit = once(child, "exit");
    child.kill(signal);
    await exit;
  }

  return {
    id: launch.id,
    port: launch.port,
    get pid() {
      return child?.pid;
    },
    get running() {
      return isRunning(child);
    },
    async start() {
      const args = ["-cp", launch.classPath, "kafka.Kafka", join(launch.folder, "server.properties")];
      child = spawnServer("java", [...launch.jvmOptions, ...args], logFile);
      const deadline = performance.now() + 60_000;
      while (!(await accepts(launch.port))) {
        if (!isRunning(child) || performance.now() > deadline)
          throw new Error(`Kafka node ${launch.id} did not start:\n${log()}`);
        await delay(100);
      }
    },
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
    async freeze() {
      child?.kill("SIGSTOP");
      while (!isStopped(child?.pid)) await delay(1);
    },
    thaw: () => void child?.kill("SIGCONT"),
    log,
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const end = (answer: boolean) => () => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", end(true)).once("error", end(false));
  });
}

/** Where there is no /proc to look at, this is not seen. */
export function isStopped(pid: number | undefined): boolean {
  const threads = `/proc/${pid}/task`;
  if (!existsSync(threads)) return true;
  return readdirSync(threads).every((thread) => / T /.test(readFileSync(`${threads}/${thread}/stat`, "utf8")));
}
