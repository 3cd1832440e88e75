import type { Logger } from "./log.js";

/** A TypeError that names the option, what was expected, and what came. */
export function wrongOption(name: string, expected: string, value: unknown): TypeError {
  return new TypeError(`${name} must be ${expected}, got ${describe(value)}`);
}

/** Checks a whole number from 1 upward, a count or a size; undefined means the default. */
export function readCount(name: string, value: number | undefined, byDefault: number): number {
  if (value === undefined) return byDefault;
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw wrongOption(name, "a whole number from 1 upward", value);
}

/** Checks where warnings go; undefined means the default. */
export function readLog(value: Logger | false | undefined): Logger | false | undefined {
  if (value === undefined || value === false || typeof value?.warn === "function") return value;
  throw wrongOption("log", "a Logger, or false", value);
}

function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  // An array of objects may hold keys.
  if (Array.isArray(value)) return value.some((one) => typeof one === "object") ? "an array" : JSON.stringify(value);
  if (typeof value === "function") return "a function";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
