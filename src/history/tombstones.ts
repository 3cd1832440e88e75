import { createHmac } from "node:crypto";

/** Makes the keyed hashes by which somebody who was forgotten is known again, and by which nobody else is found out. */
export interface Tombstones {
  /** Tells one key from another, and nothing about it. */
  readonly keyId: string;
  /** The hashes of sessions, and of a user if there is one. */
  marksOf(sessionIds: readonly string[], userId: string | null | undefined): string[];
}

/** Creates what makes the hashes with a key. */
export function createTombstones(key: string | Uint8Array): Tombstones {
  // What comes before the colon keeps the kinds apart.
  const hash = (text: string): string => createHmac("sha256", key).update(text).digest("base64url");
  return {
    keyId: hash("key:id"),
    marksOf(sessionIds, userId) {
      const marks = sessionIds.map((sessionId) => hash(`session:${sessionId}`));
      return userId ? [...marks, hash(`user:${userId}`)] : marks;
    },
  };
}
