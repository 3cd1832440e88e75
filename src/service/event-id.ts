import { randomFillSync } from "node:crypto";

const idBytes = 16;
/** Randomness is drawn for so many ids at once: drawing it for each costs ten times the rest. */
const idsPerDraw = 256;

const random = Buffer.alloc(idBytes * idsPerDraw);
let used = random.length;

const digits = Buffer.from("0123456789abcdef");
/** The text of an id, with its hyphens. One buffer for all: pieces of text put together would take eight times the memory. */
const text = Buffer.from("00000000-0000-0000-0000-000000000000");

/** A UUID of version 7, RFC 9562, section 5.7: 48 bits of time in milliseconds, the rest random but for two markers. */
export function uuidv7(nowMs: number): string {
  if (used === random.length) {
    randomFillSync(random);
    used = 0;
  }
  const id = used;
  used += idBytes;
  random.writeUIntBE(nowMs, id, 6);
  random.writeUInt8((random.readUInt8(id + 6) & 0x0f) | 0x70, id + 6);
  random.writeUInt8((random.readUInt8(id + 8) & 0x3f) | 0x80, id + 8);
  let at = 0;
  for (let index = 0; index < idBytes; index += 1) {
    if (index === 4 || index === 6 || index === 8 || index === 10) at += 1;
    const byte = random[id + index] ?? 0;
    text[at++] = digits[byte >>> 4] ?? 0;
    text[at++] = digits[byte & 0x0f] ?? 0;
  }
  return text.toString("latin1");
}
