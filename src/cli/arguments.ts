import { parseArgs } from "node:util";

/** One option of a command: what parsing, help and the README share. */
export interface CommandOption {
  /** As it is typed, `--topic`. */
  readonly name: `--${string}`;
  /** What stands for its value in the help. Undefined for one that takes none. */
  readonly value?: string | undefined;
  readonly meaning: string;
  /** What holds without it. */
  readonly byDefault: string;
}

/** The options that were given, by name; those without a value are true. */
export type GivenOptions = ReadonlyMap<string, string | true>;

/** Reads a command's arguments. Throws a TypeError that names the one that is wrong. It shows no value: it may be a secret. */
export function readArguments(args: readonly string[], options: readonly CommandOption[]): GivenOptions {
  const types = options.map(({ name, value }) => [name.slice(2), { type: value ? "string" : "boolean" }] as const);
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(types),
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const given = new Map<string, string | true>();
  for (const token of tokens) {
    if (token.kind !== "option") throw new TypeError("expected options only, got a word without an option before it");
    const option = options.find(({ name }) => name === token.rawName);
    if (option === undefined) {
      const known = options.map(({ name }) => name).join(", ");
      throw new TypeError(`${token.rawName} is unknown, expected one of ${known}`);
    }
    if (given.has(option.name)) throw new TypeError(`${option.name} must be given once, got it twice`);
    given.set(option.name, readValue(option, token.value));
  }
  return given;
}

function readValue({ name, value }: CommandOption, got: string | undefined): string | true {
  if (value === undefined) {
    if (got === undefined) return true;
    throw new TypeError(`${name} must have no value, got one`);
  }
  // What was forgotten before the next option.
  if (got === undefined || got.startsWith("--")) throw new TypeError(`${name} must have a value, ${value}, got none`);
  return got;
}
