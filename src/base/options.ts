import type { Logger } from "./log.js";
import { describe, describeText, missingOption, nearestName, optionError, wrongOptionShown } from "./option-error.js";

/**
 * One option: what it means, what it must be, what holds without it, and where else it can be set.
 *
 * Tables of these are the one place for defaults and bounds. Code, environment, command line and documents read them.
 */
export interface Option<T> {
  /** One sentence for the documents. */
  readonly meaning: string;
  /** What a value must be, as errors and documents say it: `must be …`. */
  readonly expects: string;
  /** What holds without a value. Absent if the option is required, or may be undefined. */
  readonly byDefault?: T | undefined;
  /** The default in words, if its value does not say it. */
  readonly defaultText?: string | undefined;
  /** There is no default: a value must be given. */
  readonly required?: true | undefined;
  /** No error shows its value. */
  readonly secret?: true | undefined;
  /** The name of its environment variable, after the prefix. Functions and objects have none. */
  readonly variable?: string | undefined;
  /** Makes the checked value of what was given, or answers undefined if that is wrong. */
  read(value: unknown): T | undefined;
  /** Makes of a variable's text what `read` takes. Undefined if the option cannot be set by a text. */
  readonly parse?: ((text: string) => unknown) | undefined;
  /** What to do about a wrong value, if there is something to say. */
  readonly advice?: ((value: unknown) => string | undefined) | undefined;
  /** The options inside, if this is a group of options. */
  readonly fields?: OptionTable | undefined;
}

/** Options by name. */
export type OptionTable = Readonly<Record<string, Option<unknown>>>;

/** The table of the options that, checked and completed, make these settings. */
export type OptionsOf<Settings> = { readonly [Name in keyof Settings]-?: Option<Settings[Name]> };

/** The longest delay that Node's timers keep. It is librdkafka's largest number, too. */
export const maxInt32 = 2_147_483_647;

type About<T> = Partial<Option<T>> & { readonly meaning: string };

/** A duration in milliseconds. */
export function milliseconds(
  about: About<number> & { readonly byDefault: number; readonly min?: number; readonly max?: number },
): Option<number> {
  const { min = 0, max = maxInt32 } = about;
  return {
    expects: `a number of milliseconds from ${min} to ${max}`,
    read: (value) => (typeof value === "number" && value >= min && value <= max ? value : undefined),
    parse: parseNumber,
    ...about,
  };
}

/** A count or a size: a whole number of some unit. */
export function wholeNumber(
  about: About<number> & {
    readonly byDefault: number;
    readonly unit: string;
    readonly min?: number;
    readonly max?: number;
  },
): Option<number> {
  const { min = 1, max = maxInt32 } = about;
  return {
    expects: `a whole number of ${about.unit} from ${min} to ${max}`,
    read: (value) =>
      Number.isInteger(value) && Number(value) >= min && Number(value) <= max ? Number(value) : undefined,
    parse: parseNumber,
    ...about,
  };
}

function parseNumber(text: string): unknown {
  return /^\d{1,15}$/.test(text) ? Number(text) : text;
}

/** True or false. */
export function flag(about: About<boolean>): Option<boolean> {
  return {
    expects: "true or false",
    byDefault: false,
    read: (value) => (typeof value === "boolean" ? value : undefined),
    parse: (text) => (text === "true" ? true : text === "false" ? false : text),
    ...about,
  };
}

/** A text that is not empty and fits the pattern. */
export function text<T extends string | undefined>(
  about: About<T> & { readonly pattern?: RegExp },
): Option<string | T> {
  const { pattern = /^[^\p{Cc}]+$/u } = about;
  return {
    expects: "a text that is not empty",
    read: (value) => (typeof value === "string" && pattern.test(value) ? value : undefined),
    parse: (given) => given,
    ...about,
  };
}

/** One of some texts. */
export function oneOf<T extends string>(values: readonly T[], about: About<T> & { readonly byDefault: T }): Option<T>;
export function oneOf<T extends string>(values: readonly T[], about: About<T | undefined>): Option<T | undefined>;
export function oneOf(values: readonly string[], about: About<string>): Option<string> {
  return {
    expects: values
      .map((value) => `"${value}"`)
      .join(", ")
      .replace(/, (?=[^,]*$)/, " or "),
    read: (value) => values.find((known) => known === value),
    parse: (given) => given,
    ...about,
  };
}

/** A function. There is no telling whether it is the right one. */
export function callback<F>(about: About<F | undefined>): Option<F | undefined> {
  return {
    expects: "a function",
    defaultText: "none",
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    read: (value) => (typeof value === "function" ? (value as F) : undefined),
    ...about,
  };
}

/** An object that is told by its methods, since it may come from another copy of its package. */
export function objectWith<T>(
  methods: readonly (keyof T & string)[],
  about: About<T | undefined> & { readonly expects: string },
): Option<T | undefined> {
  return {
    defaultText: "none",
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    read: (value) => (hasMethods(value, methods) ? (value as T) : undefined),
    ...about,
  };
}

function hasMethods(value: unknown, methods: readonly string[]): boolean {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  return methods.every((method) => typeof Reflect.get(value, method) === "function");
}

/** Anything at all, such as an error to be compared by identity. */
export function anything(about: About<unknown>): Option<unknown> {
  return { expects: "anything", defaultText: "none", read: (value) => value, ...about };
}

/** A signal that somebody else aborts. */
export function abortSignal(about: About<AbortSignal | undefined>): Option<AbortSignal | undefined> {
  return objectWith<AbortSignal>(["addEventListener", "throwIfAborted"], {
    expects: "an AbortSignal",
    advice: (value) => (value instanceof AbortController ? "give its signal" : undefined),
    ...about,
  });
}

/** A group of options under one name. */
export function group<Settings>(fields: OptionsOf<Settings>, about: About<Settings>): Option<Settings> {
  return {
    expects: "an object with options",
    byDefault: defaultsOf(fields),
    defaultText: "the defaults of its options",
    // What is inside is read option by option.
    read: () => undefined,
    fields: fields as OptionTable,
    ...about,
  };
}

/** Where trouble is reported. */
export const logOption: Option<Logger | false | undefined> = {
  meaning: "Takes what there is to say, each kind of trouble once a minute at most; `false` silences it",
  expects: "a logger with the methods debug, info, warn and error, or false",
  defaultText: "warnings and errors on stderr, a line each",
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  read: (value) => (isLogger(value) ? (value as Logger | false) : undefined),
};

function isLogger(value: unknown): boolean {
  return value === false || hasMethods(value, ["debug", "info", "warn", "error"]);
}

/**
 * Checks what was given against the table, and completes it.
 *
 * Throws an {@link OptionError} for the first option that is unknown, missing or wrong. A key whose value is undefined counts
 * as not given.
 */
export function readOptions<Settings>(owner: string, table: OptionsOf<Settings>, given: unknown): Settings {
  if (given !== undefined && !isPlain(given))
    throw wrongOptionShown(`the argument of ${owner}`, "an object with options", describe(given));
  return readFields(owner, table, given ?? {}, "", table as OptionTable);
}

function readFields<Settings>(
  owner: string,
  table: OptionsOf<Settings>,
  given: object,
  path: string,
  root: OptionTable,
): Settings {
  const options = table as OptionTable;
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined && !Object.hasOwn(options, name))
      throw unknownOption(owner, `${path}${name}`, options, path, root);
  }
  const settings: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(options)) {
    settings[name] = readOne(owner, `${path}${name}`, option, Reflect.get(given, name), root);
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return settings as Settings;
}

function readOne(owner: string, path: string, option: Option<unknown>, value: unknown, root: OptionTable): unknown {
  if (value === undefined) {
    if (option.required) throw missingOption(path, option.expects);
    return option.byDefault;
  }
  if (option.fields !== undefined && isPlain(value)) return readFields(owner, option.fields, value, `${path}.`, root);
  const read = option.read(value);
  if (read === undefined) throw wrongOptionShown(path, option.expects, received(option, value), option.advice?.(value));
  return read;
}

function received({ secret }: Option<unknown>, value: unknown): string {
  if (!secret) return describe(value);
  return typeof value === "string" ? `a text of ${value.length} characters` : describe(value);
}

function unknownOption(owner: string, path: string, siblings: OptionTable, prefix: string, root: OptionTable): Error {
  const name = path.slice(path.lastIndexOf(".") + 1);
  const here = Object.keys(siblings).map((sibling) => `${prefix}${sibling}`);
  const everywhere = pathsOf(root);
  // The very name in another place is what was meant more likely than a similar one here.
  const elsewhere = everywhere.find((known) => known === name || known.endsWith(`.${name}`));
  const meant = elsewhere ?? nearestName(name, [...here, ...everywhere]);
  const expected = meant ?? `one of ${here.join(", ")}`;
  const advice = meant === undefined ? `expected ${expected}` : `did you mean ${meant}?`;
  const message = `${path} is not an option of ${owner}: ${advice}`;
  return optionError("ERR_OPTION_UNKNOWN", message, { option: path, expected, received: describeText(name) });
}

function pathsOf(table: OptionTable, prefix = ""): string[] {
  return Object.entries(table).flatMap(([name, { fields }]) => [
    `${prefix}${name}`,
    ...(fields === undefined ? [] : pathsOf(fields, `${prefix}${name}.`)),
  ]);
}

function defaultsOf<Settings>(fields: OptionsOf<Settings>): Settings {
  const entries = Object.entries(fields as OptionTable).map(([name, { byDefault }]) => [name, byDefault]);
  return Object.fromEntries(entries);
}

function isPlain(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What holds without a value, in words for documents and help. */
export function defaultInWords({ byDefault, defaultText, required }: Option<unknown>): string {
  if (defaultText !== undefined) return defaultText;
  if (required) return "none: it must be given";
  return `\`${Array.isArray(byDefault) ? byDefault.join(", ") : String(byDefault)}\``;
}
