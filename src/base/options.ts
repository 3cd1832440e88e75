import type { Logger } from "./log.js";
import {
  describe,
  describeName,
  describeSecret,
  describeText,
  missingOption,
  nearestName,
  optionError,
  wrongOptionShown,
} from "./option-error.js";

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
  /** What can be given in its place, for the error that says that it is missing: `or the variable …`. */
  readonly instead?: string | undefined;
  /** No error shows its value, or, for `"text"`, no text in its place: that may be a key or a token. */
  readonly secret?: true | "text" | undefined;
  /** The name of its environment variable, after the prefix. Functions and objects have none. */
  readonly variable?: string | undefined;
  /** Makes the checked value of what was given, or answers undefined if that is wrong. */
  read(value: unknown): T | undefined;
  /** Makes of a variable's text what `read` takes. Undefined if the option cannot be set by a text. */
  readonly parse?: ((text: string) => unknown) | undefined;
  /** What to do about a wrong value, if there is something to say. It must not quote the value. */
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

function parseNumber(given: string): unknown {
  return /^\d{1,15}$/.test(given) ? Number(given) : given;
}

/** True or false. */
export function flag(about: About<boolean>): Option<boolean> {
  return {
    expects: "true or false",
    byDefault: false,
    read: (value) => (typeof value === "boolean" ? value : undefined),
    parse: parseFlag,
    ...about,
  };
}

/** Makes true or false of a variable's text. */
export function parseFlag(given: string): unknown {
  return given === "true" ? true : given === "false" ? false : given;
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
export function callback<F>(about: About<F> & ({ readonly byDefault: F } | { readonly required: true })): Option<F>;
export function callback<F>(about: About<F | undefined>): Option<F | undefined>;
export function callback<F>(about: About<F | undefined>): Option<F | undefined> {
  return {
    expects: "a function",
    defaultText: "none",
    secret: "text",
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
    secret: "text",
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
    advice: (value) => (describe(value) === "an AbortController" ? "give its signal" : undefined),
    ...about,
  });
}

/** A group of options under one name. */
export function group<Settings>(fields: OptionsOf<Settings>, about: About<Settings>): Option<Settings> {
  return {
    expects: "an object with options",
    defaultText: "the defaults of its options",
    // What is inside is read option by option.
    read: () => undefined,
    fields,
    ...about,
  };
}

const logMethods = ["debug", "info", "warn", "error"];

/** Where trouble is reported. */
export const logOption: Option<Logger | false | undefined> = {
  meaning: "Takes what there is to say, each kind of trouble once a minute at most; `false` silences it",
  expects: "a logger with the methods debug, info, warn and error, or false",
  defaultText: "warnings and errors on stderr, a line each",
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  read: (value) => (value === false || hasMethods(value, logMethods) ? (value as Logger | false) : undefined),
  advice: (value) => {
    const missing = logMethods.filter((method) => !hasMethods(value, [method]));
    return missing.length < logMethods.length ? `it lacks ${missing.join(" and ")}` : undefined;
  },
};

/**
 * Checks what was given against the table, and completes it.
 *
 * Throws an {@link OptionError} for the first option that is unknown, missing or wrong. A key whose value is undefined counts
 * as not given.
 */
export function readOptions<Settings>(owner: string, table: OptionsOf<Settings>, given: unknown): Settings {
  if (given !== undefined && !isOptions(given))
    throw wrongOptionShown(`the argument of ${owner}`, "an object with options", describeSecret(given));
  const asked: object = given ?? {};
  return readFields({ owner, root: table, hasEnvironment: Reflect.get(asked, "env") !== false }, table, asked, "");
}

/** Whose options are read. */
interface Reading {
  readonly owner: string;
  readonly root: OptionTable;
  /** Whether a variable could be given instead. */
  readonly hasEnvironment: boolean;
}

function readFields<Settings>(reading: Reading, table: OptionsOf<Settings>, given: object, path: string): Settings {
  const { owner, root } = reading;
  const options: OptionTable = table;
  const values = new Map(entriesOf(given));
  for (const [name, value] of values) {
    if (value !== undefined && !Object.hasOwn(options, name)) throw unknownOption(owner, name, options, path, root);
  }
  const settings = Object.fromEntries(
    Object.entries(options).map(([name, option]) => [
      name,
      readOne(reading, `${path}${name}`, option, values.get(name)),
    ]),
  );
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return settings as Settings;
}

function readOne(reading: Reading, path: string, option: Option<unknown>, value: unknown): unknown {
  const { fields } = option;
  if (value === undefined && fields === undefined) {
    if (option.required) {
      throw missingOption(path, option.expects, reading.hasEnvironment ? option.instead : undefined);
    }
    return option.byDefault;
  }
  // An option inside may be required even if the whole group is left out.
  const inside = value ?? {};
  if (fields !== undefined && value !== null && isOptions(inside))
    return readFields(reading, fields, inside, `${path}.`);
  const read = option.read(value);
  if (read === undefined) throw wrongValue(path, option, value);
  return read;
}

/** An option whose value is wrong. What may be a secret is not shown. */
export function wrongValue(path: string, option: Option<unknown>, value: unknown): Error {
  const isHidden = option.secret === true || (option.secret === "text" && typeof value !== "number");
  const received = isHidden ? describeSecret(value) : describe(value);
  return wrongOptionShown(path, option.expects, received, option.advice?.(value));
}

function unknownOption(owner: string, name: string, siblings: OptionTable, prefix: string, root: OptionTable): Error {
  const path = `${prefix}${describeName(name)}`;
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

/**
 * Whether this may be a group of options: an object of a user's own making. A list, a Map or a promise has no options, and one
 * that was taken for options would configure nothing, unseen.
 */
export function isOptions(value: unknown): value is Readonly<Record<string, unknown>> {
  return /^\[object (Object|Module)\]$/.test(Object.prototype.toString.call(value)) && !hasMethods(value, ["then"]);
}

/**
 * The options in an object: what it has itself, and what it has of its class or of the object that it was made from. Methods
 * do not count, nor does what somebody has added to all objects.
 */
export function entriesOf(given: object): [string, unknown][] {
  const names = new Set(Object.keys(given));
  for (let kind = kindOf(given); kind !== undefined; kind = kindOf(kind)) {
    for (const [name, { get, enumerable }] of Object.entries(Object.getOwnPropertyDescriptors(kind))) {
      if (get !== undefined || enumerable) names.add(name);
    }
  }
  return [...names].map((name) => [name, Reflect.get(given, name)]);
}

/** What an object inherits from, unless that is what all objects inherit from. */
function kindOf(given: object): object | undefined {
  const kind: unknown = Object.getPrototypeOf(given);
  const isOwn = typeof kind === "object" && kind !== null && Object.getPrototypeOf(kind) !== null;
  return isOwn ? kind : undefined;
}

/** What holds without a value, in words for documents and help. */
export function defaultInWords({ byDefault, defaultText, required }: Option<unknown>): string {
  if (required && (defaultText ?? "none") === "none") return "none: it must be given";
  if (defaultText !== undefined) return defaultText;
  if (byDefault === undefined) return "none";
  if (Array.isArray(byDefault)) return `\`${byDefault.join(", ")}\``;
  return typeof byDefault === "string" ? `\`${byDefault}\`` : `\`${describe(byDefault)}\``;
}
