import { createHash } from "node:crypto";

/** What RFC 9162 puts before a leaf, so that no leaf has the hash of a node. */
const leafPrefix: Uint8Array = Uint8Array.of(0);

/** RFC 9162's hash of a leaf. Two events have the same one only if they have the same bytes. */
export function leafHash(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(leafPrefix).update(bytes).digest();
}
