import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { runCommandLine } from "../../src/cli/command-line.js";
import { openTerminal } from "../../src/cli/terminal.js";

/** A command that runs in this process. */
export interface RunningCommand {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: Promise<number>;
  /** Asks it to end, as a process signal does. */
  end(signal: "SIGINT" | "SIGTERM"): void;
}

/** Starts a command, and collects what it prints. */
export function startCommand(args: readonly string[]): RunningCommand {
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
  const signals = new EventEmitter();
  const printed = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    streams[name].setEncoding("utf8").on("data", (text) => (printed[name] += String(text)));
  const exitCode = runCommandLine(args, openTerminal({ ...streams, signals })).then(async (code) => {
    // What was written last is read by then.
    await new Promise(setImmediate);
    return code;
  });
  return Object.assign(printed, { exitCode, end: (signal: "SIGINT" | "SIGTERM") => void signals.emit(signal) });
}

/** Runs a command to its end. */
export async function runCommand(...args: readonly string[]): Promise<{
  readonly exitCode: number;
  readonly lines: readonly string[];
  readonly stdout: string;
  readonly stderr: string;
}> {
  const command = startCommand(args);
  const exitCode = await command.exitCode;
  const { stdout, stderr } = command;
  return { exitCode, stdout, stderr, lines: stdout === "" ? [] : stdout.replace(/\r?\n$/, "").split(/\r?\n/) };
}
