/** Stands for what no store can hold. Three bytes of UTF-8. */
const replacement = "\uFFFD";

/** Makes a text that every store can hold: PostgreSQL takes no NUL, and nothing that speaks UTF-8 takes half a surrogate pair. */
export function wellFormed(text: string): string {
  return text.replace(/[\0\p{Surrogate}]/gu, replacement);
}

/**
 * Cuts a text to so many characters, as PostgreSQL counts them: an emoji is one, though its `length` is 2. The result is
 * well-formed.
 */
export function cutText(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return wellFormed(text);
  // No character has more than two units, so the rest need not be looked at, however long it is.
  const characters = Array.from(text.slice(0, 2 * maxCharacters));
  return wellFormed(characters.slice(0, maxCharacters).join(""));
}

/** Cuts a text to so many bytes of UTF-8, never inside a character. The result is well-formed. */
export function cutToBytes(text: string, maxBytes: number): string {
  // No unit takes less than a byte. One more, so that a pair at the end stays whole.
  const start = wellFormed(text.slice(0, maxBytes + 1));
  const bytes = new Uint8Array(maxBytes);
  // Writes whole characters only.
  const { read } = new TextEncoder().encodeInto(start, bytes);
  return start.slice(0, read);
}

/**
 * What a terminal would act on, or would show elsewhere than it stands: control characters, marks of direction and other
 * characters without a shape, line separators, unassigned and private ones, and the letters that are written from right to
 * left, which take the digits beside them along. A backslash, so that what follows from this can be told from what was there.
 */
const unprintable =
  /[\\\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFF\u{10800}-\u{10FFF}\u{1E800}-\u{1EFFF}]|(?! )\p{Zs}/gu;

/** Marks that are drawn over what stands before them. Two are more than most languages need, and hundreds cover other lines. */
const piledMarks = /(?<=^|\p{M}{2})\p{M}/gu;

/** What is most text, and costs the least to look through. */
const plainAscii = /^[\x20-\x5b\x5d-\x7e]*$/;
const plainJson = /^[\x20-\x7e]*$/;

/**
 * Makes a text that a terminal shows in its place and does nothing else with, on one line. What it would act on is escaped as
 * `\u{1b}`, and a backslash is doubled.
 */
export function printable(text: string): string {
  if (plainAscii.test(text)) return text;
  return escapeMatches(text, (character) => (character === "\\" ? "\\\\" : `\\u{${codeOf(character)}}`));
}

/** The same for a text that is JSON: it stays JSON with the same content. */
export function printableJson(json: string): string {
  if (plainJson.test(json)) return json;
  // Outside of texts, JSON has nothing of this. Inside, a backslash is an escape of JSON's own.
  return escapeMatches(json, (character) =>
    character === "\\"
      ? character
      : Array.from({ length: character.length }, (_, index) => unitEscape(character, index)).join(""),
  );
}

function escapeMatches(text: string, escaped: (character: string) => string): string {
  return text.replace(unprintable, escaped).replace(piledMarks, escaped);
}

function codeOf(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16);
}

function unitEscape(text: string, index: number): string {
  return `\\u${text.charCodeAt(index).toString(16).padStart(4, "0")}`;
}
