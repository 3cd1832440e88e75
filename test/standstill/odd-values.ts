import type { Random } from "../support/random.js";

/** Where texts are cut somewhere in this package, in a store or in Kafka: a character that is cut in two is at one of these. */
const borders = [63, 64, 128, 255, 256, 512, 1_024, 2_048, 2_704];
/** Of 1 to 4 bytes in UTF-8, and of 1 or 2 units in JavaScript. */
const fillers = ["a", "é", "€", "😀"];

const texts: readonly string[] = [
  "",
  " ",
  "\t\r\n\v\f\u00A0\u2003\u3000\uFEFF",
  "\0",
  "before\0after",
  "\u0001\u001B[31m\u007F\u0085\u009B",
  "\uFFFD\uFFFE\uFFFF\u{1FFFE}\u{10FFFF}",
  "e\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301",
  "ŉßﬃİıſ",
  "\u202Eright to left\u202C\u2066\u200B\u2028\u2029",
  "👩‍👩‍👧‍👦🏴󠁧󠁢󠁥󠁮󠁧󠁿",
  "\\u0000\\ud800\\x00\\",
  '"}],{"a":null}\'',
  "'; drop schema signal_history cascade; --",
  "$1 $$ %s %n {0}",
  "NULL",
  "NaN",
  "-infinity",
  "true",
  "__proto__",
];

/** Any kind of text. Well-formed, as the texts of a protobuf message are. */
export function oddText(random: Random): string {
  switch (random.below(4)) {
    case 0:
      return atBorder(random, "😀");
    case 1:
      return anyText(random, 1 + random.below(40));
    default:
      return random.pick(texts);
  }
}

/** A text with something at a border, or one or two units beside it. */
export function atBorder(random: Random, what: string): string {
  const filler = random.pick(fillers);
  const before = random.pick(borders) + random.below(5) - 3;
  // In units of JavaScript, or in bytes of UTF-8.
  const size = random.below(2) === 0 ? filler.length : Buffer.byteLength(filler);
  const filled = filler.repeat(Math.max(0, Math.floor(before / size)));
  return `${"a".repeat(before % size)}${filled}${what}${random.pick(["", "b", "😀".repeat(20)])}`;
}

/** A text with half a surrogate pair at its start, at its end or at a border. Only JavaScript can hold it. */
export function illFormedText(random: Random): string {
  const half = random.pick(["\uD83D", "\uDE00", "\uDE00\uD83D"]);
  return random.pick([half, `${half}text`, `text${half}`, atBorder(random, half)]);
}

/** Characters of all planes, but no halves. */
function anyText(random: Random, length: number): string {
  return Array.from({ length }, () => {
    const point = random.below(random.pick([0x80, 0x800, 0x1_0000, 0x11_0000]));
    return String.fromCodePoint(point >= 0xd800 && point < 0xe000 ? 0x20 : point);
  }).join("");
}

const addresses: readonly string[] = [
  "203.0.113.7",
  "203.0.113.7:51234",
  "203.0.113.007",
  "0xCB.0.113.7",
  "3405803783",
  "203.0.113.7/24",
  "203.0.113.7, 10.0.0.1",
  "for=203.0.113.7;proto=https",
  '"[2001:db8::7]:51234"',
  "2001:db8::7",
  "2001:DB8:0:0:0:0:0:7",
  "[2001:db8::7]",
  "[2001:db8::7]:51234",
  "fe80::1%eth0",
  "[fe80::1%25eth0]:80",
  "::",
  "::1",
  "::ffff:203.0.113.7",
  "::ffff:cb00:7107",
  "[::FFFF:203.0.113.7]:1",
  "64:ff9b::203.0.113.7",
  "1:2:3:4:5:6:7:8",
  "1:2:3:4:5:6:7::",
  "::8:7:6:5:4:3:2",
  "1::203.0.113.7",
  "2001:db8::7::1",
  "1:2:3:4:5:6:7:8:9",
  "12345::",
  "256.1.1.1",
  "1.2.3",
  "unknown",
  "_hidden",
  ":",
  "[",
  "[]:80",
  "%",
  "203.0.113.7:",
  "999.999.999.999:99999",
];

/** An address of any spelling, or something in its place. */
export function oddAddress(random: Random): string {
  return random.below(8) === 0 ? oddText(random) : random.pick(addresses);
}

/** What a protobuf Timestamp holds. */
export interface OddTime {
  readonly seconds: bigint;
  readonly nanos: number;
}

const nowSeconds = 1_790_000_000n;
/** The first and the last moment that a protobuf Timestamp may say. */
const firstSeconds = -62_135_596_800n;
const lastSeconds = 253_402_300_799n;

/** A moment of a usual call. */
export function usualTime(random: Random): OddTime {
  return { seconds: nowSeconds - BigInt(random.below(86_400)), nanos: random.below(1_000) * 1_000_000 };
}

/** A moment that is allowed, however far off. */
export function farTime(random: Random): OddTime {
  const seconds = random.pick([firstSeconds, -2_208_988_800n, -1n, 0n, 2_147_483_648n, 4_294_967_296n, lastSeconds]);
  return { seconds, nanos: random.pick([0, 1, 999, 1_000, 999_999_999]) };
}

/** What fits into the message, and is no moment. */
export function impossibleTime(random: Random): OddTime {
  const seconds = [firstSeconds - 1n, lastSeconds + 1n, -(2n ** 63n), 2n ** 63n - 1n, 8_640_000_000_001n];
  const nanos = [-1, 1_000_000_000, -(2 ** 31), 2 ** 31 - 1];
  return random.below(2) === 0
    ? { seconds: random.pick(seconds), nanos: 0 }
    : { seconds: nowSeconds, nanos: random.pick(nanos) };
}

/** Any bytes. */
export function anyBytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)));
}
