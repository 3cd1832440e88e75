import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

/** The compiled package, as `npm test` has just built it. */
export const dist: string = fileURLToPath(new URL("../../dist", import.meta.url));

export interface Program {
  readonly process: ChildProcess;
  readonly exit: Promise<number | null>;
  readonly stdout: string;
  readonly stderr: string;
  /** Both. */
  output(): string;
  /** SIGTERM. Resolves with its exit code. */
  stop(): Promise<number | null>;
}

/** Runs a compiled script in a process of its own, until the test is over. */
export function runProgram(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd?: string,
): Program {
  const child = spawn(process.execPath, [`${dist}/${script}`, ...args], {
    env: { ...process.env, ...env },
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) child[name].on("data", (chunk) => (output[name] += String(chunk)));
  const exit = once(child, "close").then(([code]) => code);
  return Object.assign(output, {
    process: child,
    exit,
    output: () => output.stdout + output.stderr,
    stop() {
      child.kill("SIGTERM");
      return exit;
    },
  });
}
