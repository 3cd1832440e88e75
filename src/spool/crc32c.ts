/** CRC-32C, Castagnoli's polynomial, reflected: LevelDB's choice, which Node does not have. */
const polynomial = 0x82f63b78;
/** So many bytes are taken at a time, each by a table of its own. */
const slices = 8;

/** All tables, one after the other. */
const table: Uint32Array = makeTables();

function makeTables(): Uint32Array {
  const sums = new Uint32Array(slices * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let sum = byte;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? polynomial : 0);
    sums[byte] = sum;
  }
  for (let at = 256; at < sums.length; at += 1) {
    const before = sums[at - 256] ?? 0;
    sums[at] = (before >>> 8) ^ (sums[before & 0xff] ?? 0);
  }
  return sums;
}

function sumOf(slice: number, byte: number): number {
  return table[slice * 256 + (byte & 0xff)] ?? 0;
}

/** The CRC-32C of these bytes. */
export function crc32c(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let sum = 0xffffffff;
  let at = 0;
  for (; at + slices <= bytes.length; at += slices) {
    const low = sum ^ view.getUint32(at, true);
    const high = view.getUint32(at + 4, true);
    const ofLow = sumOf(7, low) ^ sumOf(6, low >>> 8) ^ sumOf(5, low >>> 16) ^ sumOf(4, low >>> 24);
    sum = ofLow ^ sumOf(3, high) ^ sumOf(2, high >>> 8) ^ sumOf(1, high >>> 16) ^ sumOf(0, high >>> 24);
  }
  for (; at < bytes.length; at += 1) sum = (sum >>> 8) ^ sumOf(0, sum ^ view.getUint8(at));
  return ~sum >>> 0;
}
