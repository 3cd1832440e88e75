import { createRequire } from "node:module";
import { errorMessage } from "../base/errors.js";
import { describeText, nearestName } from "../base/option-error.js";
import { checkCommand } from "./check-command.js";
import { type Command, helpOf } from "./command.js";
import { consoleCommand } from "./console-command.js";
import { deadLettersCommand } from "./dead-letters-command.js";
import { decodeCommand } from "./decode-command.js";
import { doctorCommand } from "./doctor-command.js";
import { type Ending, exitCodes } from "./exit-codes.js";
import { exportCommand } from "./export-command.js";
import { historyCommand } from "./history-command.js";
import { installCommand } from "./kafka-client/install-command.js";
import { keysCommand } from "./keys/keys-command.js";
import { setAsideCommand } from "./set-aside-command.js";
import { showCommand } from "./show-command.js";
import { tailCommand } from "./tail-command.js";
import { openTerminal, type Terminal } from "./terminal.js";

/** Every command, in the order of the help. */
export const commands: readonly Command[] = [
  tailCommand,
  showCommand,
  decodeCommand,
  exportCommand,
  doctorCommand,
  checkCommand,
  historyCommand,
  consoleCommand,
  deadLettersCommand,
  setAsideCommand,
  keysCommand,
  installCommand,
];
const names = commands.map(({ name }) => name);

/** Runs a command to its end, and answers with the exit code of the process. Never rejects. */
export async function runCommandLine(args: readonly string[], terminal: Terminal = openTerminal()): Promise<number> {
  let ending = await runIn(terminal, args);
  try {
    await terminal.close();
  } catch (error) {
    terminal.note(`session-activity: ${errorMessage(error)}`);
    ending = "failed";
  }
  return exitCodes[ending];
}

async function runIn(terminal: Terminal, [name, ...rest]: readonly string[]): Promise<Ending> {
  if (name === "--help" || name === "-h" || name === "help") return print(terminal, helpFor(rest[0]));
  if (name === "--version") return print(terminal, `${version()}\n`);
  const command = commands.find((known) => known.name === name);
  if (command === undefined) return refuse(terminal, name);
  const given = rest.slice(0, rest.includes("--") ? rest.indexOf("--") : undefined);
  if (given.includes("--help") || given.includes("-h")) return print(terminal, helpOf(command));
  if (given.includes("--version")) return print(terminal, `${version()}\n`);
  return run(terminal, command, rest);
}

function helpFor(name: string | undefined): string {
  const command = commands.find((known) => known.name === name);
  return command === undefined ? usage() : helpOf(command);
}

function usage(): string {
  const width = Math.max(...names.map(({ length }) => length));
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return `Usage: session-activity <command>

Commands:
${lines.join("\n")}

Options:
  --help     Shows this, or with a command what that takes, with examples and exit codes
  --version  Shows the version
`;
}

function refuse(terminal: Terminal, given: string | undefined): Ending {
  const got = given === undefined ? "none" : describeText(given);
  const meant = given === undefined ? undefined : nearestName(given, names);
  const advice = meant === undefined ? "" : `: did you mean ${meant}?`;
  for (const line of [
    `session-activity: expected a command, got ${got}${advice}`,
    "",
    ...usage().trimEnd().split("\n"),
  ])
    terminal.note(line);
  return "wrongArguments";
}

async function run(terminal: Terminal, command: Command, args: readonly string[]): Promise<Ending> {
  let start: ReturnType<Command["prepare"]>;
  try {
    start = command.prepare(args);
  } catch (error) {
    return complain(terminal, command, error, "wrongArguments");
  }
  let ending: Ending;
  try {
    const running = start(terminal);
    ending = (await (command.endsSlowly ? running : Promise.race([running, cutOff(terminal)]))) ?? "done";
  } catch (error) {
    // What was cut off by the end that was asked for is no trouble of its own.
    if (isEndedEarly(terminal, command)) return endingOf(terminal, command);
    return complain(terminal, command, error, "failed");
  }
  return ending === "done" && terminal.ending.aborted ? endingOf(terminal, command) : ending;
}

/** What closes what a command has open may take this long, so that the process ends within a second. */
const closingMs = 800;

/** Resolves when a command that was told to end has had its time. The process ends then, and what is still open with it. */
function cutOff({ ending }: Terminal): Promise<void> {
  return new Promise((resolve) => {
    ending.addEventListener("abort", () => setTimeout(resolve, closingMs).unref(), { once: true });
  });
}

function isEndedEarly(terminal: Terminal, { endsSlowly }: Command): boolean {
  return terminal.ending.aborted && !endsSlowly;
}

/** How a command ends that was told to. */
function endingOf(terminal: Terminal, { isEndless }: Command): Ending {
  const reason = terminal.endReason();
  if (isEndless || reason === undefined || reason === "pipe") return "done";
  return reason === "SIGINT" ? "interrupted" : "terminated";
}

function complain(terminal: Terminal, { name }: Command, error: unknown, ending: Ending): Ending {
  for (const [index, line] of errorMessage(error).split("\n").entries())
    terminal.note(index === 0 ? `session-activity ${name}: ${line}` : line);
  return ending;
}

async function print(terminal: Terminal, text: string): Promise<Ending> {
  await terminal.write(text);
  return "done";
}

function version(): string {
  const manifest: { readonly version: string } = createRequire(import.meta.url ?? __filename)(
    "connect-session-activity/package.json",
  );
  return manifest.version;
}
