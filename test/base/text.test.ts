import { assert, nat, property, string } from "fast-check";
import { describe, expect, it, test } from "vitest";
import { cutText, cutToBytes, printable, printableJson, wellFormed } from "../../src/base/text.js";

const bike = "🚲";

test.each([
  ["x\0y", "x\uFFFDy"],
  ["\ud83d", "\uFFFD"],
  ["\udeb2\ud83d", "\uFFFD\uFFFD"],
  [bike, bike],
])("wellFormed makes of %j %j", (text, expected) => {
  expect(wellFormed(text)).toBe(expected);
});

describe("cutText", () => {
  it.each([
    ["", 4, ""],
    ["abcd", 4, "abcd"],
    ["abcde", 4, "abcd"],
    // A character is one, however many units it has.
    [`abc${bike}`, 4, `abc${bike}`],
    [`abcd${bike}`, 4, "abcd"],
    [bike.repeat(5), 4, bike.repeat(4)],
    // What was half before stays half, and becomes well-formed.
    ["abc\ud83d", 4, "abc\uFFFD"],
    ["abc\ud83dx", 4, "abc\uFFFD"],
    ["\0".repeat(9), 4, "\uFFFD".repeat(4)],
  ])("%j to %i characters: %j", (text, max, expected) => {
    expect(cutText(text, max)).toBe(expected);
  });

  it("gives the beginning of any text, whole", () => {
    assert(
      property(string({ unit: "binary", maxLength: 40 }), nat(40), (text, max) => {
        const cut = cutText(text, max);
        expect(wellFormed(text).startsWith(cut)).toBe(true);
        expect(Array.from(cut)).toHaveLength(Math.min(max, Array.from(text).length));
        expect(wellFormed(cut)).toBe(cut);
      }),
    );
  });
});

describe("cutToBytes", () => {
  it.each([
    ["abcd", 4, "abcd"],
    ["abcde", 4, "abcd"],
    [`abc${bike}`, 4, "abc"],
    [bike.repeat(2), 7, bike],
    // The replacement is longer than what it replaces.
    ["\0\0", 4, "\uFFFD"],
    ["abc\ud83d", 4, "abc"],
    ["abc\ud83d", 6, "abc\uFFFD"],
  ])("%j to %i bytes: %j", (text, max, expected) => {
    expect(cutToBytes(text, max)).toBe(expected);
  });

  it("gives as much of the beginning of any text as fits", () => {
    assert(
      property(string({ unit: "binary", maxLength: 40 }), nat(60), (text, max) => {
        const [cut, whole] = [cutToBytes(text, max), wellFormed(text)];
        const next = Array.from(whole)[Array.from(cut).length] ?? "";
        expect(whole.startsWith(cut)).toBe(true);
        expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(max);
        expect(next === "" || Buffer.byteLength(cut + next) > max).toBe(true);
      }),
    );
  });
});

describe("printable", () => {
  it.each([
    ["plain text, straße, 東京, 🚲", "plain text, straße, 東京, 🚲"],
    ["\u001b[2J\u0007\u009b31m", "\\u{1b}[2J\\u{7}\\u{9b}31m"],
    ["a\r\nb\tc\u0000", "a\\u{d}\\u{a}b\\u{9}c\\u{0}"],
    ["\u202eabc\u2066\u200f\u061c", "\\u{202e}abc\\u{2066}\\u{200f}\\u{61c}"],
    ["a\u2028b\u2029c\u0085", "a\\u{2028}b\\u{2029}c\\u{85}"],
    ["zero\u200bwidth\ufeff\u{e0041}", "zero\\u{200b}width\\u{feff}\\u{e0041}"],
    ["half \ud83d", "half \\u{d83d}"],
    ["שלום 12", "\\u{5e9}\\u{5dc}\\u{5d5}\\u{5dd} 12"],
    ["e\u0301", "e\u0301"],
    ["\u0301e\u0301\u0301\u0301", "\\u{301}e\u0301\u0301\\u{301}"],
    ["\\u{1b}", "\\\\u{1b}"],
    ["wide\u3000space\u00a0", "wide\\u{3000}space\\u{a0}"],
  ])("makes of %j %j", (text, expected) => {
    expect(printable(text)).toBe(expected);
  });

  it("leaves JSON what it says", () => {
    const value = { "\u202e": ["\u001b[2J", "\u2028", "\ud83d", "שלום", "🚲", "\u{e0041}", "\\u{1b}"] };
    const text = printableJson(JSON.stringify(value));
    expect(JSON.parse(text)).toEqual(value);
    expect(text).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u0590-\u08FF]/u);
  });

  it("takes time in proportion to the length", () => {
    const start = performance.now();
    printable("\u0301".repeat(200_000));
    expect(performance.now() - start).toBeLessThan(5_000);
  });
});
