import type { Option } from "../base/options.js";

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const agoPattern = /^(\d{1,9})([smhd])$/;
const datePattern = /^\d{4}-\d\d-\d\d$/;
const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?$/;

/** A moment in milliseconds since 1970, typed as a time or as how long it is ago. Without a zone it is UTC, as all times that are shown. */
export function momentOption(meaning: string, defaultText: string): Option<number | undefined> {
  return {
    meaning,
    expects: "a time such as 2026-11-27T10:00:00Z, or how long ago it was: 90s, 15m, 2h or 7d",
    defaultText,
    read: (value) => (typeof value === "number" && Number.isFinite(value) ? value : undefined),
    parse: parseMoment,
  };
}

function parseMoment(given: string): unknown {
  const [, count, unit] = agoPattern.exec(given) ?? [];
  if (count !== undefined && unit !== undefined) return Date.now() - Number(count) * (unitMs[unit] ?? 0);
  if (datePattern.test(given)) return Date.parse(given);
  const [time, , , zone] = timePattern.exec(given) ?? [];
  return time === undefined ? given : Date.parse(zone === undefined ? `${time}Z` : time);
}
