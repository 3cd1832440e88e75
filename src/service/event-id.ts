import { randomFillSync } from "node:crypto";

const idBytes = 16;
/** Randomness is drawn for so many ids at once: drawing it for each costs ten times the rest. */
const idsPerDraw = 256;

const random = Buffer.alloc(idBytes * idsPerDraw);
let used = random.length;

/** A UUID of version 7, RFC 9562, section 5.7: 48 bits of time in milliseconds, the rest random but for two markers. */
export function uuidv7(nowMs: number): string {
  if (used === random.length) {
    randomFillSync(random);
    used = 0;
  }
  const at = used;
  used += idBytes;
  random.writeUIntBE(nowMs, at, 6);
  random.writeUInt8((random.readUInt8(at + 6) & 0x0f) | 0x70, at + 6);
  random.writeUInt8((random.readUInt8(at + 8) & 0x3f) | 0x80, at + 8);
  const hex = random.toString("hex", at, used);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
