import type { CommandOption } from "./arguments.js";

/** One command of the program. */
export interface Command {
  readonly name: string;
  /** What it does, in one line. */
  readonly summary: string;
  /** What `--help` prints. */
  help(): string;
  /**
   * Reads its arguments, and answers with what runs it to its end. That resolves to the exit code, or to nothing for 0. Throws an
   * `OptionError` for wrong arguments.
   */
  prepare(args: readonly string[]): () => Promise<number | void>;
}

/** The lines of a help that name options. */
export function optionLines(options: readonly CommandOption[]): string {
  const rows = options.map(({ name, value, meaning, byDefault }) => ({
    left: value === undefined ? name : `${name} ${value}`,
    right: `${meaning}${byDefault === "" ? "" : `. By default: ${byDefault}`}`.replaceAll("`", ""),
  }));
  const width = Math.max(...rows.map(({ left }) => left.length));
  return rows.map(({ left, right }) => `  ${left.padEnd(width)}  ${right}`).join("\n");
}

/** What every command has. */
export const commonOptions: readonly CommandOption[] = [
  { name: "--help", meaning: "Shows this", byDefault: "" },
  { name: "--version", meaning: "Shows the version", byDefault: "" },
];
