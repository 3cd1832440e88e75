import { createRequire } from "node:module";
import { errorMessage } from "../base/errors.js";
import { createLineLogger } from "../base/log.js";
import { type HistoryCommand, readHistoryArguments } from "./history-arguments.js";
import { runHistory } from "./history-command.js";
import { historyHelp } from "./history-help.js";

const usage = `Usage: session-activity <command>

Commands:
  history    Records what changed in sessions, from Kafka into PostgreSQL: session-activity history --help

Options:
  --help     Shows this
  --version  Shows the version
`;

/** Exit codes, as the README lists them. */
const ok = 0;
const failed = 1;
const wrongArguments = 2;

/** Runs a command to its end, and answers with the exit code of the process. Never rejects. */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args;
  if (command === "--help" || command === "-h") return print(usage);
  if (command === "--version") return print(`${version()}\n`);
  if (command !== "history") {
    const got = command === undefined ? "none" : JSON.stringify(command);
    process.stderr.write(`session-activity: the command must be history, got ${got}\n\n${usage}`);
    return wrongArguments;
  }
  if (rest.includes("--help") || rest.includes("-h")) return print(historyHelp());
  if (rest.includes("--version")) return print(`${version()}\n`);
  return history(rest);
}

async function history(args: readonly string[]): Promise<number> {
  let command: HistoryCommand;
  try {
    command = readHistoryArguments(args);
  } catch (error) {
    return complain(error, wrongArguments);
  }
  return runHistory(command, createLineLogger(["info", "warn", "error"])).then(
    () => ok,
    (error: unknown) => complain(error, failed),
  );
}

function complain(error: unknown, exitCode: number): number {
  process.stderr.write(`session-activity history: ${errorMessage(error)}\n`);
  return exitCode;
}

function print(text: string): number {
  process.stdout.write(text);
  return ok;
}

function version(): string {
  const manifest: { readonly version: string } = createRequire(import.meta.url ?? __filename)(
    "connect-session-activity/package.json",
  );
  return manifest.version;
}
