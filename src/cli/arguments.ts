import { parseArgs } from "node:util";
import { type GivenOptions as GivenSettings, putAt } from "../base/environment.js";
import { describeName, nearestName, type OptionErrorCode, optionError } from "../base/option-error.js";
import { defaultInWords, type Option, wrongValue } from "../base/options.js";

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

/** How an option of a table is typed. */
export interface Argument extends CommandOption {
  readonly option: Option<unknown>;
  /** Where its value goes. Undefined for what only prints. */
  readonly path: readonly string[] | undefined;
  /** What the number that is typed is multiplied with. */
  readonly scale?: number;
}

/** An option of a table as an argument. */
export function argument(
  name: `--${string}`,
  value: string | undefined,
  option: Option<unknown>,
  path: readonly string[] | undefined,
): Argument {
  return { name, value, meaning: option.meaning, byDefault: defaultInWords(option), option, path };
}

/** Reads a command's arguments as settings, each checked by its option. Throws an `OptionError` that names the one that is wrong. */
export function readSettings(args: readonly string[], options: readonly Argument[]): GivenSettings {
  const settings: GivenSettings = {};
  for (const [name, given] of readArguments(args, options)) {
    const { option, path, scale = 1 } = options.find((known) => known.name === name) ?? {};
    if (option === undefined || path === undefined) continue;
    const value = option.read(typeof given === "string" ? (option.parse?.(given) ?? given) : given);
    if (value === undefined) throw wrongValue(name, option, given);
    putAt(settings, path, typeof value === "number" ? value * scale : value);
  }
  return settings;
}

/** The options that were given, by name; those without a value are true. */
export type GivenOptions = ReadonlyMap<string, string | true>;

/** Reads a command's arguments. Throws an `OptionError` that names the one that is wrong. It shows no value: it may be a secret. */
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
    if (token.kind !== "option") throw wrongArgument("arguments", "options only", "a word without an option before it");
    const option = options.find(({ name }) => name === token.rawName);
    if (option === undefined) throw unknownArgument(token.rawName, options);
    const { name } = option;
    if (given.has(name)) throw wrongArgument(name, "given once", "it twice", "ERR_OPTION_CONFLICT");
    given.set(name, readValue(option, token.value));
  }
  return given;
}

function readValue({ name, value }: CommandOption, got: string | undefined): string | true {
  if (value === undefined) {
    if (got === undefined) return true;
    throw wrongArgument(name, "given without a value", "one");
  }
  // What was forgotten before the next option.
  if (got !== undefined && !got.startsWith("--")) return got;
  throw wrongArgument(name, `given with a value, ${value}`, "none", "ERR_OPTION_MISSING");
}

function unknownArgument(given: string, options: readonly CommandOption[]): Error {
  const known = options.map(({ name }) => name);
  const shown = describeName(given);
  const meant = nearestName(given, known);
  const expected = meant ?? `one of ${known.join(", ")}`;
  const advice = meant === undefined ? `expected ${expected}` : `did you mean ${meant}?`;
  const details = { option: shown, expected, received: "an unknown option" };
  return optionError("ERR_OPTION_UNKNOWN", `${shown} is unknown, ${advice}`, details);
}

function wrongArgument(
  option: string,
  expected: string,
  received: string,
  code: OptionErrorCode = "ERR_OPTION_INVALID",
): Error {
  return optionError(code, `${option} must be ${expected}, got ${received}`, { option, expected, received });
}
