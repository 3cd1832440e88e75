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
