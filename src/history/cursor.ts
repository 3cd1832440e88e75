// The cursors of activities and of changes: a place in the order of the calls' starts, as a text that users keep.

/** The start of a call in microseconds since 1970, and what tells the entry from others of that moment. */
export type Place = readonly [micros: string, ...more: string[]];

export function cursorOf(...place: Place): string {
  return JSON.stringify(place);
}

/** A place that has so many parts. Undefined if this is not the cursor of one. */
export function readCursor(cursor: string, parts: number): Place | undefined {
  const read = readJson(cursor);
  if (!Array.isArray(read) || read.length !== parts) return undefined;
  const [micros, ...more]: unknown[] = read;
  const isPlace = typeof micros === "string" && /^-?\d{1,17}$/.test(micros) && more.every(isText);
  return isPlace ? [micros, ...more.filter(isText)] : undefined;
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}
