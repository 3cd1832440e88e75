import type { CommandOption } from "./arguments.js";
import { type Ending, endingMeanings, exitCodes } from "./exit-codes.js";
import type { Terminal } from "./terminal.js";

/** One command of the program. */
export interface Command {
  readonly name: string;
  /** What it does, in one line. */
  readonly summary: string;
  /** What `--help` teaches. */
  readonly help: CommandHelp;
  /** Whether it goes on until it is told to end, so that this is how it is done. */
  readonly isEndless?: true;
  /** Whether it takes its time to end, as its help says. Any other is cut off after a second. */
  readonly endsSlowly?: true;
  /** Reads its arguments, and answers with what runs it to its end. Throws an `OptionError` for wrong ones. */
  prepare(args: readonly string[]): (terminal: Terminal) => Promise<Ending | void>;
}

/** What a command's help is made of. */
export interface CommandHelp {
  /** What stands after the command's name. */
  readonly usage: string;
  /** What it does, in paragraphs of whole lines. */
  readonly about: string;
  readonly options: readonly CommandOption[];
  /** What else is to be known, such as where secrets come from. */
  readonly notes?: string;
  /** Commands to be typed, each with what it is for. */
  readonly examples: readonly Example[];
  /** How it can end, and what that means if the common meaning says too little. */
  readonly endings: Partial<Readonly<Record<Ending, string>>>;
}

/** A command to be typed. */
export interface Example {
  readonly does: string;
  readonly line: string;
}

/** What `--help` prints. */
export function helpOf({ name, help }: Command): string {
  const { usage, about, options, notes, examples, endings } = help;
  const parts = [
    `Usage: session-activity ${name} ${usage}`.trimEnd(),
    about.trim(),
    `Options:\n${optionLines([...options, ...commonOptions])}`,
    notes?.trim(),
    `Examples:\n${examples.map(({ does, line }) => `  # ${does}\n  ${line}`).join("\n")}`,
    `Exit codes:\n${endingLines(endings)}`,
  ];
  return `${parts.filter((part) => part !== undefined).join("\n\n")}\n`;
}

function endingLines(own: CommandHelp["endings"]): string {
  const all: CommandHelp["endings"] = { done: endingMeanings.done, ...common, ...own };
  return Object.entries(exitCodes)
    .flatMap(([name, code]) => {
      const meaning = Object.entries(all).find(([ending]) => ending === name)?.[1];
      return meaning === undefined ? [] : `  ${String(code).padEnd(4)} ${meaning}`;
    })
    .join("\n");
}

/** How every command can end. */
const { failed, wrongArguments } = endingMeanings;
const common: CommandHelp["endings"] = { failed, wrongArguments };

function optionLines(options: readonly CommandOption[]): string {
  const rows = options.map((option) => ({
    left: typedForm(option),
    right: `${option.meaning}${option.byDefault === "" ? "" : `. By default: ${option.byDefault}`}`.replaceAll("`", ""),
  }));
  const width = Math.max(...rows.map(({ left }) => left.length));
  return rows.map(({ left, right }) => `  ${left.padEnd(width)}  ${right}`).join("\n");
}

/** An option as help and documents show it. */
export function typedForm({ name, value, isEither }: CommandOption): string {
  if (value !== undefined) return `${name} ${value}`;
  return isEither ? `${name}[=false]` : name;
}

/** What every command has. */
export const commonOptions: readonly CommandOption[] = [
  { name: "--help", meaning: "Shows this", byDefault: "" },
  { name: "--version", meaning: "Shows the version", byDefault: "" },
];
