import { describe, expect, it, onTestFinished } from "vitest";
import {
  defaultInWords,
  entriesOf,
  flag,
  group,
  isOptions,
  maxInt32,
  milliseconds,
  type OptionsOf,
  oneOf,
  readOptions,
  text,
  wholeNumber,
} from "../../src/base/options.js";
import { refusalOf } from "../support/refusal.js";

interface Settings {
  readonly name: string;
  readonly waitMs: number;
  readonly count: number;
  readonly loud: boolean;
  readonly mode: "a" | "b";
  readonly inner: { readonly size: number; readonly topic: string | undefined; readonly url: string | undefined };
}

const table: OptionsOf<Settings> = {
  name: text({ meaning: "A name", required: true }),
  waitMs: milliseconds({ meaning: "A time", byDefault: 5 }),
  count: wholeNumber({ meaning: "A count", unit: "things", byDefault: 3, max: 10 }),
  loud: flag({ meaning: "A flag" }),
  mode: oneOf(["a", "b"], { meaning: "A mode", byDefault: "a" }),
  inner: group(
    {
      size: wholeNumber({ meaning: "A size", unit: "bytes", byDefault: 1 }),
      topic: text({ meaning: "A topic" }),
      url: text({ meaning: "A secret", secret: true }),
    },
    { meaning: "A group" },
  ),
};
const read = (given: unknown): Settings => readOptions("create", table, given);
const defaults = {
  name: "n",
  waitMs: 5,
  count: 3,
  loud: false,
  mode: "a",
  inner: { size: 1, topic: undefined, url: undefined },
};

describe("options", () => {
  it("are completed by their defaults, also those of a group that is left out", () => {
    expect(read({ name: "n" })).toEqual(defaults);
    expect(read({ name: "n", waitMs: undefined, inner: undefined, unknown: undefined })).toEqual(defaults);
    expect(read({ name: "n", inner: { size: 2 } })).toEqual({ ...defaults, inner: { ...defaults.inner, size: 2 } });
  });

  it.each<[string, object]>([
    ["frozen", Object.freeze({ name: "n" })],
    ["without a prototype", Object.assign(Object.create(null), { name: "n" })],
    ["that another one is the base of", Object.create({ name: "n" })],
    [
      "of a class",
      new (class Config {
        readonly name = "n";
        method(): void {}
      })(),
    ],
    [
      "of a class with a getter",
      new (class Config {
        get name(): string {
          return "n";
        }
      })(),
    ],
  ])("may be an object %s", (_, given) => {
    expect(read(given)).toEqual(defaults);
  });

  it.each([
    [null, "null"],
    ["name", "a text of 4 characters"],
    [42, "a number"],
    [["n"], "an array"],
    [() => ({}), "a function"],
    [Promise.resolve({ name: "n" }), "a promise"],
    [new Map([["name", "n"]]), "a Map"],
    [new Date(0), "a Date"],
  ])("are not %o", (given, received) => {
    expect(refusalOf(() => read(given))).toMatchObject({
      message: `the argument of create must be an object with options, got ${received}`,
      code: "ERR_OPTION_INVALID",
    });
    expect(refusalOf(() => read({ name: "n", inner: given })).option).toBe("inner");
  });

  it("are required in groups that are left out, too", () => {
    const outer = { inner: group<{ a: string }>({ a: text({ meaning: "", required: true }) }, { meaning: "" }) };
    expect(refusalOf(() => readOptions("create", outer, {}))).toMatchObject({
      message: "inner.a must be given, a text that is not empty",
      code: "ERR_OPTION_MISSING",
      option: "inner.a",
    });
  });
});

describe("wrong options", () => {
  it.each([
    [{}, "name", "name must be given, a text that is not empty", "MISSING"],
    [{ name: "" }, "name", 'name must be a text that is not empty, got ""', "INVALID"],
    [{ name: "a\nb" }, "name", 'name must be a text that is not empty, got "a\\nb"', "INVALID"],
    [{ waitMs: -1 }, "waitMs", `waitMs must be a number of milliseconds from 0 to ${maxInt32}, got -1`, "INVALID"],
    [{ waitMs: "5" }, "waitMs", 'got "5"', "INVALID"],
    [{ waitMs: maxInt32 + 1 }, "waitMs", `got ${maxInt32 + 1}`, "INVALID"],
    [{ waitMs: Number.POSITIVE_INFINITY }, "waitMs", "got Infinity", "INVALID"],
    [{ waitMs: null }, "waitMs", "got null", "INVALID"],
    [{ count: 11 }, "count", "count must be a whole number of things from 1 to 10, got 11", "INVALID"],
    [{ count: 1.5 }, "count", "got 1.5", "INVALID"],
    [{ count: [3] }, "count", "got an array", "INVALID"],
    [{ count: 3n }, "count", "got 3n", "INVALID"],
    [{ loud: "true" }, "loud", 'loud must be true or false, got "true"', "INVALID"],
    [{ loud: 1 }, "loud", "got 1", "INVALID"],
    [{ mode: "c" }, "mode", 'mode must be "a" or "b", got "c"', "INVALID"],
    [{ inner: { size: 0 } }, "inner.size", "inner.size must be a whole number of bytes", "INVALID"],
    [{ inner: { url: 12345 } }, "inner.url", "inner.url must be a text that is not empty, got a number", "INVALID"],
    [{ inner: { url: ["hunter2"] } }, "inner.url", "got an array", "INVALID"],
  ])("%o: %s", (given, option, message, code) => {
    const refusal = refusalOf(() => read(code === "MISSING" ? given : { name: "n", ...given }));
    expect(refusal.message).toContain(message);
    expect(refusal).toMatchObject({ option, code: `ERR_OPTION_${code}` });
  });

  it.each([
    [{ nam: "n" }, "nam", "name"],
    [{ topic: "t" }, "topic", "inner.topic"],
    [{ innerSize: 1 }, "innerSize", "inner.size"],
    [{ inner: { mode: "a" } }, "inner.mode", "mode"],
    [{ inner: { siz: 1 } }, "inner.siz", "inner.size"],
    [Object.create({ naem: "n" }), "naem", "name"],
  ])("%o: unknown, with the nearest right name", (given, option, expected) => {
    const named: unknown = "inner" in given ? { name: "n", ...given } : given;
    expect(refusalOf(() => read(named))).toMatchObject({
      message: `${option} is not an option of create: did you mean ${expected}?`,
      code: "ERR_OPTION_UNKNOWN",
      option,
      expected,
    });
  });

  it("with no near name are told which there are", () => {
    const refusal = refusalOf(() => read({ verbose: true }));
    expect(refusal.message).toBe(
      "verbose is not an option of create: expected one of name, waitMs, count, loud, mode, inner",
    );
  });

  it.each(["__proto__", "constructor", "toString", "hasOwnProperty", "prototype"])("named %s are unknown", (name) => {
    const given: unknown = JSON.parse(`{ "name": "n", "${name}": { "loud": true } }`);
    expect(refusalOf(() => read(given))).toMatchObject({ code: "ERR_OPTION_UNKNOWN", option: name });
    const inner: unknown = JSON.parse(`{ "name": "n", "inner": { "${name}": "x" } }`);
    expect(refusalOf(() => read(inner))).toMatchObject({ code: "ERR_OPTION_UNKNOWN", option: `inner.${name}` });
  });

  it("do not come from what somebody has added to all objects", () => {
    const added = { value: true, configurable: true, enumerable: true, writable: true };
    Reflect.defineProperty(Object.prototype, "loud", added);
    onTestFinished(() => void Reflect.deleteProperty(Object.prototype, "loud"));
    expect(read({ name: "n" }).loud).toBe(false);
  });
});

describe("what an object has", () => {
  it("is its own, and what its class has, but no methods", () => {
    class Base {
      get inherited(): number {
        return 1;
      }
    }
    class Config extends Base {
      own = 2;
      method(): void {}
    }
    expect(Object.fromEntries(entriesOf(new Config()))).toEqual({ own: 2, inherited: 1 });
    expect([{}, Object.create(null), new Config(), process.env].map(isOptions)).toEqual([true, true, true, true]);
  });
});

describe("defaults in words", () => {
  it.each([
    [milliseconds({ meaning: "", byDefault: 5 }), "`5`"],
    [text({ meaning: "", required: true }), "none: it must be given"],
    [text({ meaning: "", required: true, defaultText: "none" }), "none: it must be given"],
    [text({ meaning: "", defaultText: "the service" }), "the service"],
    [text({ meaning: "" }), "none"],
  ])("%o: %s", (option, words) => {
    expect(defaultInWords(option)).toBe(words);
  });
});
