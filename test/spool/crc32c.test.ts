import { expect, it } from "vitest";
import { crc32c } from "../../src/spool/crc32c.js";

// RFC 3720, B.4, and the check value of the CRC catalogues.
it.each<[string, Uint8Array, number]>([
  ["nothing", new Uint8Array(), 0],
  ["nine digits", Buffer.from("123456789"), 0xe3069283],
  ["32 zeros", Buffer.alloc(32), 0x8a9136aa],
  ["32 ones", Buffer.alloc(32, 0xff), 0x62a8ab43],
  ["32 numbers", Buffer.from(Array.from({ length: 32 }, (_, at) => at)), 0x46dd794e],
])("the sum of %s is the standard's", (_, bytes, sum) => {
  expect(crc32c(bytes)).toBe(sum);
});
