import { assert, nat, property, string } from "fast-check";
import { describe, expect, it, test } from "vitest";
import { cutText, cutToBytes, wellFormed } from "../../src/base/text.js";

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
