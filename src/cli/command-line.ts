import { createRequire } from "node:module";
import { errorMessage } from "../base/errors.js";
import { describeText, nearestName } from "../base/option-error.js";
import { checkCommand } from "./check-command.js";
import type { Command } from "./command.js";
import { deadLettersCommand } from "./dead-letters-command.js";
import { historyCommand } from "./history-command.js";
import { installCommand } from "./kafka-client/install-command.js";
import { keysCommand } from "./keys/keys-command.js";
import { setAsideCommand } from "./set-aside-command.js";

const commands: readonly Command[] = [
  historyCommand,
  checkCommand,
  deadLettersCommand,
  setAsideCommand,
  keysCommand,
  installCommand,
];
const names = commands.map(({ name }) => name);

/** Exit codes, as the documents list them. */
const ok = 0;
const failed = 1;
const wrongArguments = 2;

/** Runs a command to its end, and answers with the exit code of the process. Never rejects. */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === "--help" || name === "-h") return print(usage());
  if (name === "--version") return print(`${version()}\n`);
  const command = commands.find((known) => known.name === name);
  if (command === undefined) return refuse(name);
  if (rest.includes("--help") || rest.includes("-h")) return print(command.help());
  if (rest.includes("--version")) return print(`${version()}\n`);
  return run(command, rest);
}

function usage(): string {
  const width = Math.max(...names.map(({ length }) => length));
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return `Usage: session-activity <command>

Commands:
${lines.join("\n")}

Options:
  --help     Shows this, or with a command what that takes
  --version  Shows the version
`;
}

function refuse(given: string | undefined): number {
  const got = given === undefined ? "none" : describeText(given);
  const meant = given === undefined ? undefined : nearestName(given, names);
  const advice = meant === undefined ? "" : `: did you mean ${meant}?`;
  process.stderr.write(`session-activity: expected a command, got ${got}${advice}\n\n${usage()}`);
  return wrongArguments;
}

async function run(command: Command, args: readonly string[]): Promise<number> {
  let start: () => Promise<number | void>;
  try {
    start = command.prepare(args);
  } catch (error) {
    return complain(command, error, wrongArguments);
  }
  return start().then(
    (exitCode) => exitCode ?? ok,
    (error: unknown) => complain(command, error, failed),
  );
}

function complain({ name }: Command, error: unknown, exitCode: number): number {
  process.stderr.write(`session-activity ${name}: ${errorMessage(error)}\n`);
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
