/**
 * Why an option was refused. The codes are stable: programs may compare them.
 *
 * - `ERR_OPTION_INVALID`: its value is of the wrong type, or out of bounds
 * - `ERR_OPTION_UNKNOWN`: there is no option of that name in that place
 * - `ERR_OPTION_MISSING`: it is required, alone or because another option is given
 * - `ERR_OPTION_CONFLICT`: it contradicts another option
 * - `ERR_ENVIRONMENT_INVALID`: environment variables are wrong; the message lists all of them
 */
export type OptionErrorCode =
  | "ERR_OPTION_INVALID"
  | "ERR_OPTION_UNKNOWN"
  | "ERR_OPTION_MISSING"
  | "ERR_OPTION_CONFLICT"
  | "ERR_ENVIRONMENT_INVALID";

/**
 * What functions of this package throw if their options are wrong. The message says what was wrong, what was expected, and
 * what to do. It never holds a secret.
 *
 * @example
 * try {
 *   startSessionTracking({ settleTimeoutMs: "10s" });
 * } catch (error) {
 *   error.code; // "ERR_OPTION_INVALID"
 *   error.option; // "settleTimeoutMs"
 * }
 */
export interface OptionError extends TypeError {
  readonly code: OptionErrorCode;
  /** The option by its path, such as `kafka.brokers`; for several variables the first one. */
  readonly option: string;
  /** What the option must be. */
  readonly expected: string;
  /** What came, as far as it may be shown. */
  readonly received: string;
}

/** Creates the error. The caller's sentence is `message`. */
export function optionError(
  code: OptionErrorCode,
  message: string,
  { option, expected, received }: { option: string; expected: string; received: string },
): OptionError {
  return Object.assign(new TypeError(message), { code, option, expected, received });
}

/** An option whose value is wrong. `advice` says what to do, if more than "give the expected" can be said. */
export function wrongOption(option: string, expected: string, value: unknown, advice = ""): OptionError {
  return wrongOptionShown(option, expected, describe(value), advice);
}

/** The same for a value that must be described with care, such as a secret. */
export function wrongOptionShown(option: string, expected: string, received: string, advice = ""): OptionError {
  const message = `${option} must be ${expected}, got ${received}${advice === "" ? "" : `: ${advice}`}`;
  return optionError("ERR_OPTION_INVALID", message, { option, expected, received });
}

/** An option that is required. `because` says why, if it is not always. */
export function missingOption(option: string, expected: string, because = ""): OptionError {
  const message = `${option} must be given, ${expected}${because === "" ? "" : `, ${because}`}`;
  return optionError("ERR_OPTION_MISSING", message, { option, expected, received: "undefined" });
}

/** An option that contradicts another one. The message is a whole sentence. */
export function conflictingOption(option: string, message: string): OptionError {
  return optionError("ERR_OPTION_CONFLICT", message, { option, expected: "no contradiction", received: "both" });
}

const shownLength = 60;
const shownItems = 5;

/** Kinds of objects that errors name. Other names may hold anything. */
const namedKinds: ReadonlyMap<string, string> = new Map([
  ["AbortController", "an AbortController"],
  ["AbortSignal", "an AbortSignal"],
  ["Map", "a Map"],
  ["Set", "a Set"],
  ["Date", "a Date"],
  ["URL", "a URL"],
  ["CryptoKey", "a CryptoKey"],
  ["Uint8Array", "bytes"],
]);

/**
 * Describes a value as an error may show it: its type, numbers and short texts. Never what stands inside an object, nor what
 * stands before an `@`, which may be a password.
 */
export function describe(value: unknown): string {
  if (typeof value === "string") return describeText(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "symbol") return "a symbol";
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  return Array.isArray(value) ? describeArray(value) : describeObject(value);
}

/** Describes a value of which nothing may be shown: its kind, and how long it is. */
export function describeSecret(value: unknown): string {
  if (typeof value === "string") return describeLength(value.length);
  if (typeof value === "number" || typeof value === "bigint") return "a number";
  return Array.isArray(value) ? "an array" : describe(value);
}

function describeLength(length: number): string {
  return length === 0 ? "an empty text" : `a text of ${length} character${length === 1 ? "" : "s"}`;
}

function describeArray(values: readonly unknown[]): string {
  const texts = values.filter((value) => typeof value === "string");
  if (texts.length < values.length) return "an array";
  // Somebody may have split "user:pass,word@host" by its comma: what stands before the last @ is not shown.
  const open = texts.slice(
    Math.max(
      0,
      texts.findLastIndex((text) => text.includes("@")),
    ),
  );
  const shown = open.slice(0, shownItems).map(describeText);
  const before = open.length < texts.length ? ["…"] : [];
  const after = open.length > shownItems ? ["…"] : [];
  return `[${[...before, ...shown, ...after].join(", ")}]`;
}

function describeObject(value: object): string {
  if (typeof Reflect.get(value, "then") === "function") return "a promise";
  if (value instanceof Date && Number.isNaN(value.getTime())) return "an invalid Date";
  return namedKinds.get(Object.prototype.toString.call(value).slice("[object ".length, -1)) ?? "an object";
}

/** Describes a text: cut, without what may be a password or a token in an address, and without keys. */
export function describeText(text: string): string {
  if (text.includes("-----BEGIN ")) return "PEM text";
  // Everything before the last @ goes: a password may hold commas, slashes and further @.
  const at = text.lastIndexOf("@");
  const question = text.indexOf("?");
  const isQueryFirst = question >= 0 && question < at;
  const open = isQueryFirst ? "…@…" : text.slice(at + 1).replace(/\?.+$/s, "?…");
  const shown = at >= 0 && !isQueryFirst ? `…@${open}` : open;
  return JSON.stringify(shown.length > shownLength ? `${shown.slice(0, shownLength)}…` : shown);
}

/** Shows the name of an option that is not one. It may be anything, so what is no name is described as a text. */
export function describeName(name: string): string {
  return /^[\w.$-]{1,60}$/.test(name) ? name : describeText(name);
}

/**
 * The name that was probably meant, or undefined if none is near.
 *
 * A name that holds the other one counts as near, however long the rest: `serviceName` means `service`. `kafkaBrokers` means
 * `kafka.brokers`.
 */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const given = plain(name);
  let best: string | undefined;
  let least = Math.max(2, Math.floor(given.length / 3)) + 1;
  for (const candidate of known) {
    const last = candidate.slice(candidate.lastIndexOf(".") + 1);
    const distance = Math.min(distanceOf(given, plain(last)), distanceOf(given, plain(candidate)));
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[._-]/g, "");
}

/** A part of a name is nearer than a name with something added, and both are nearer than one with a slip. */
function distanceOf(given: string, known: string): number {
  const distance = editDistance(given, known);
  if (distance === 0) return 0;
  if (holds(known, given)) return 0.25 + distance / 1_000;
  if (holds(given, known)) return 0.5 + distance / 1_000;
  return distance;
}

/** Short words stand in many names by chance, unless they stand at the beginning. */
function holds(whole: string, part: string): boolean {
  return part.length >= 4 ? whole.includes(part) : part.length === 3 && whole.startsWith(part);
}

/** Levenshtein's: how many letters to add, remove or change. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const change = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
