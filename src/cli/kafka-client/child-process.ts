import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Environment } from "../../base/environment.js";

/** A program that a command runs. */
export interface ChildOptions {
  readonly cwd: string;
  readonly env: Environment;
  /** Ends it after that long. */
  readonly timeoutMs?: number | undefined;
  /** Is given each line that it prints. */
  readonly onLine?: ((line: string) => void) | undefined;
}

/** How it ended, and its last lines. */
export interface ChildEnd {
  readonly succeeded: boolean;
  readonly lastLines: readonly string[];
}

const keptLines = 60;

/** Runs a program to its end. Never rejects: a program that cannot be started has failed. */
export async function runChild(program: string, args: readonly string[], options: ChildOptions): Promise<ChildEnd> {
  const { cwd, env, timeoutMs, onLine } = options;
  const lastLines: string[] = [];
  const child = spawn(program, args, { cwd, env, timeout: timeoutMs, stdio: ["ignore", "pipe", "pipe"] });
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on("line", (line) => {
      lastLines.push(line);
      if (lastLines.length > keptLines) lastLines.shift();
      onLine?.(line);
    });
  }
  return new Promise((resolve) => {
    child.once("error", ({ message }) => resolve({ succeeded: false, lastLines: [message] }));
    child.once("close", (code) => resolve({ succeeded: code === 0, lastLines }));
  });
}
