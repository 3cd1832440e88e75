/** CRC-32C, Castagnoli's polynomial, reflected: LevelDB's choice, which Node does not have. */
const polynomial = 0x82f63b78;
/** So many bytes are taken at a time, each by a table of its own. */
const slices = 8;

const tables: readonly Uint32Array[] = makeTables();

function makeTables(): Uint32Array[] {
  const first = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte += 1) {
    let sum = byte;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? polynomial : 0);
    first[byte] = sum;
  }
  const all = [first];
  for (let slice = 1; slice < slices; slice += 1) {
    all.push(all[slice - 1]!.map((sum) => (sum >>> 8) ^ first[sum & 0xff]!));
  }
  return all;
}

/** The CRC-32C of these bytes. */
export function crc32c(bytes: Uint8Array): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables;
  let sum = 0xffffffff;
  let at = 0;
  for (const end = bytes.length - (slices - 1); at < end; at += slices) {
    const low = sum ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    sum =
      t7![low & 0xff]! ^
      t6![(low >>> 8) & 0xff]! ^
      t5![(low >>> 16) & 0xff]! ^
      t4![low >>> 24]! ^
      t3![bytes[at + 4]!]! ^
      t2![bytes[at + 5]!]! ^
      t1![bytes[at + 6]!]! ^
      t0![bytes[at + 7]!]!;
  }
  for (; at < bytes.length; at += 1) sum = (sum >>> 8) ^ t0![(sum ^ bytes[at]!) & 0xff]!;
  return ~sum >>> 0;
}
