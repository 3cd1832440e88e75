import { parseArgs } from "node:util";
import { type GivenOptions as GivenSettings, putAt } from "../base/environment.js";
import { describeName, describeText, nearestName, type OptionErrorCode, optionError } from "../base/option-error.js";
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
  /** Of an option that takes no value: whether `=false` may follow, for the opposite of what it says. */
  readonly isEither?: true;
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
  return settingsOf(parseArguments(args, options).given, options);
}

/** The options that were given as settings, each checked by its option. Throws an `OptionError` for one that is wrong. */
export function settingsOf(given: GivenOptions, options: readonly Argument[]): GivenSettings {
  const settings: GivenSettings = {};
  for (const [name, typed] of given) {
    const { option, path, scale = 1 } = options.find((known) => known.name === name) ?? {};
    if (option === undefined || path === undefined) continue;
    const value = option.read(typeof typed === "string" ? (option.parse?.(typed) ?? typed) : typed);
    if (value === undefined) throw wrongValue(name, option, typed);
    putAt(settings, path, typeof value === "number" ? value * scale : value);
  }
  return settings;
}

/** The options that were given, by name; those without a value are true or false. */
export type GivenOptions = ReadonlyMap<string, string | boolean>;

/** What was typed after the name of a command. */
export interface ParsedArguments {
  readonly given: GivenOptions;
  /** The words that belong to no option, in their order. */
  readonly words: readonly string[];
}

/** Reads the options of a command that takes nothing else. */
export function readArguments(args: readonly string[], options: readonly CommandOption[]): GivenOptions {
  return parseArguments(args, options).given;
}

/**
 * Reads a command's arguments: options, and up to so many words between them or after `--`. Throws an `OptionError` that names
 * the one that is wrong. It shows no value: it may be a secret.
 */
export function parseArguments(
  args: readonly string[],
  options: readonly CommandOption[],
  maxWords = 0,
): ParsedArguments {
  const types = options.map(({ name, value }) => [name.slice(2), { type: value ? "string" : "boolean" }] as const);
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(types),
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const given = new Map<string, string | boolean>();
  const words: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") words.push(token.value);
    if (words.length > maxWords) throw tooManyWords(maxWords);
    if (token.kind !== "option") continue;
    const option = options.find(({ name }) => name === token.rawName);
    if (option === undefined) throw unknownArgument(token.rawName, options);
    const { name } = option;
    if (given.has(name)) throw wrongArgument(name, "given once", "it twice", "ERR_OPTION_CONFLICT");
    given.set(name, readValue(option, token.value));
  }
  return { given, words };
}

/** The word that says which of a command's actions is meant. Throws an `OptionError` for another one. */
export function readAction<Action extends string>(
  command: string,
  word: string | undefined,
  actions: readonly Action[],
): Action {
  const action = actions.find((known) => known === word);
  if (action !== undefined) return action;
  const received = word === undefined || word.startsWith("-") ? "none" : describeText(word);
  const expected = actions.join(", ").replace(/, (?=[^,]*$)/, " or ");
  const message = `the word after ${command} must be ${expected}, got ${received}`;
  throw optionError("ERR_OPTION_INVALID", message, { option: command, expected, received });
}

function tooManyWords(maxWords: number): Error {
  if (maxWords === 0)
    return wrongArgument("arguments", "options only", "a word that belongs to no option; --help lists them");
  const words = maxWords === 1 ? "options and one word" : `options and ${maxWords} words`;
  return wrongArgument("arguments", words, "more words");
}

function readValue({ name, value, isEither }: CommandOption, got: string | undefined): string | boolean {
  if (value === undefined) {
    if (got === undefined) return true;
    if (isEither && (got === "true" || got === "false")) return got === "true";
    throw isEither
      ? wrongArgument(name, "given alone, or as =true or =false", "another value")
      : wrongArgument(name, "given without a value", "one");
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
