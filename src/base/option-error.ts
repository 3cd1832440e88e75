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

/**
 * Describes a value as an error may show it: its type, and short texts. Never what stands inside an object, nor what stands
 * before an `@`, which may be a password.
 */
export function describe(value: unknown): string {
  if (typeof value === "string") return describeText(value);
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return String(value);
  if (value instanceof Promise) return "a promise";
  if (value instanceof AbortController) return "an AbortController";
  if (Array.isArray(value)) {
    return value.every((one) => typeof one === "string") ? `[${value.map(describeText).join(", ")}]` : "an array";
  }
  return "an object";
}

/** Describes a text: cut, without what may be a password, and without keys. */
export function describeText(text: string): string {
  if (text.includes("-----BEGIN ")) return "PEM text";
  // Everything before the last @: a password may hold commas, slashes and further @.
  const open = text.replace(/^.*@/s, "…@");
  return JSON.stringify(open.length > shownLength ? `${open.slice(0, shownLength)}…` : open);
}

/**
 * The name that was probably meant, or undefined if none is near.
 *
 * A name that holds the other one counts as near, however long the rest: `serviceName` means `service`.
 */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const given = name.toLowerCase();
  let best: string | undefined;
  let least = Math.max(3, Math.ceil(name.length / 3)) + 1;
  for (const candidate of known) {
    const last = candidate.slice(candidate.lastIndexOf(".") + 1).toLowerCase();
    const distance = given === last ? 0 : holds(given, last) ? 1 : editDistance(given, last);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

function holds(one: string, other: string): boolean {
  return Math.min(one.length, other.length) >= 4 && (one.includes(other) || other.includes(one));
}

/** Levenshtein's: how many letters to add, remove or change. */
export function editDistance(from: string, to: string): number {
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
