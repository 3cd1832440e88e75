import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import type { SessionTrackingStats } from "../../src/kafka/index.js";
import { dist } from "../support/program.js";
import { tlsFixture } from "../support/tls-fixture.js";
import { pause } from "../support/until.js";
import type { ServerTransport } from "./shutdown-load.js";

/** What a service in a process of its own is started with. */
export interface ServingSettings {
  readonly transport: ServerTransport;
  /** Says "open" when that many calls are with their handlers. */
  readonly openCalls: number;
  readonly graceMs: number;
  readonly drainTimeoutMs: number;
  /** Without brokers, the events are handed to `onDrop`, and come with the result. */
  readonly brokers?: string;
}

/** An event as the service saw it lost. */
export interface LostEvent {
  readonly reason: string;
  readonly context: string;
  readonly status: string;
  readonly handlerStatus: string;
  readonly procedure: string;
}

/** What the service said when it had shut down. */
export interface Served {
  readonly stats: SessionTrackingStats;
  readonly events: readonly LostEvent[];
  readonly ms: number;
}

export interface ServingProcess {
  /** Resolves with the rest of the line when the service says this word. */
  said(word: "listening" | "open" | "told" | "done"): Promise<string>;
  /** What it logged, and what Node warned of. */
  readonly complaints: readonly string[];
  /** Sends SIGTERM. */
  shutDown(): void;
  /** Resolves with its exit code, when it has ended by itself. */
  readonly exit: Promise<unknown>;
}

/** Starts a service in a process of its own, until the test is over. */
export function startServing(node: string, settings: ServingSettings): ServingProcess {
  const script = fileURLToPath(new URL("serving-process.mjs", import.meta.url));
  const child = spawn(node, [script, JSON.stringify({ ...settings, compiled: dist, tls: tlsFixture })], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const waiting = new Map<string, (rest: string) => void>();
  const words = new Map(
    ["listening", "open", "told", "done"].map((word) => [
      word,
      new Promise<string>((resolve) => void waiting.set(word, resolve)),
    ]),
  );
  const complaints: string[] = [];
  createInterface(child.stdout).on("line", (line) => {
    const [word = "", ...rest] = line.split(" ");
    const resolve = waiting.get(word);
    if (resolve === undefined) complaints.push(line);
    else resolve(rest.join(" "));
  });
  createInterface(child.stderr).on("line", (line) => complaints.push(line));
  const exit = once(child, "exit").then(([code, signal]) => code ?? signal);
  function said(word: string): Promise<string> {
    const ended = exit.then(async (code) => {
      // What it said last may be read after its end.
      await pause(1_000);
      throw new Error(`it ended with ${code} and did not say ${word}: ${complaints.join("\n")}`);
    });
    return Promise.race([words.get(word)!, ended]);
  }
  return {
    said,
    complaints,
    shutDown: () => void child.kill("SIGTERM"),
    exit,
  };
}
