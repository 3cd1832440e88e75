import { createHash } from "node:crypto";
import { cutText } from "../base/text.js";

/** With these, what stands in an index fits into it, whatever the characters are. */
const maxIdCharacters = 256;
const maxNameCharacters = 128;
/** Of SHA-256 in base64url, and what stands before it. */
const endingLength = 44;

/** An id as it is stored. One that is too long or holds what PostgreSQL cannot is cut, and ends with the hash of the whole. */
export function idOf(id: string): string {
  return keyOf(id, maxIdCharacters);
}

/** The name of a signal as it is stored, likewise. */
export function nameOf(signal: string): string {
  return keyOf(signal, maxNameCharacters);
}

/** Two that differ stay different, and what was stored once stays as it is. */
function keyOf(text: string, maxCharacters: number): string {
  if (cutText(text, maxCharacters) === text) return text;
  const hash = createHash("sha256").update(text, "utf16le").digest("base64url");
  return `${cutText(text, maxCharacters - endingLength)}~${hash}`;
}
