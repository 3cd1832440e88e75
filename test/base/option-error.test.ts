import { expect, describe as group, it } from "vitest";
import {
  conflictingOption,
  describe,
  describeName,
  describeSecret,
  describeText,
  missingOption,
  nearestName,
  wrongOption,
} from "../../src/base/option-error.js";

group("an error of an option", () => {
  it("is a TypeError with a code, the option, what was expected and what came", () => {
    const error = wrongOption("kafka.topic", "a name", "a b", "leave out the blank");
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject({
      message: 'kafka.topic must be a name, got "a b": leave out the blank',
      code: "ERR_OPTION_INVALID",
      option: "kafka.topic",
      expected: "a name",
      received: '"a b"',
    });
  });

  it("says why an option is missing, or what it contradicts", () => {
    expect(missingOption("a", "a text", "since b is")).toMatchObject({
      message: "a must be given, a text, since b is",
      code: "ERR_OPTION_MISSING",
      option: "a",
      received: "undefined",
    });
    expect(conflictingOption("a", "a and b must not both be given")).toMatchObject({
      message: "a and b must not both be given",
      code: "ERR_OPTION_CONFLICT",
      option: "a",
    });
  });
});

const thenName = ["th", "en"].join("");

group("a value in an error", () => {
  class Pool {
    readonly password = "hunter2";
  }
  it.each<[unknown, string]>([
    [undefined, "undefined"],
    [null, "null"],
    [true, "true"],
    [Number.NaN, "NaN"],
    [10n, "10n"],
    [Symbol("hunter2"), "a symbol"],
    [() => "hunter2", "a function"],
    ["a\u0007b", '"a\\u0007b"'],
    ["x".repeat(61), `"${"x".repeat(60)}…"`],
    [["a", "b"], '["a", "b"]'],
    [["a", 1], "an array"],
    [[{ password: "hunter2" }], "an array"],
    [Array.from("012345678"), '["0", "1", "2", "3", "4", …]'],
    [{ password: "hunter2" }, "an object"],
    [new Pool(), "an object"],
    [Object.create(null), "an object"],
    [Promise.resolve("hunter2"), "a promise"],
    // A promise of another library.
    [{ [thenName]: () => {} }, "a promise"],
    [new AbortController(), "an AbortController"],
    [new AbortController().signal, "an AbortSignal"],
    [new Map([["hunter2", 1]]), "a Map"],
    [new Set(["hunter2"]), "a Set"],
    [new Date(0), "a Date"],
    [new Date(Number.NaN), "an invalid Date"],
    [new URL("https://u:hunter2@h"), "a URL"],
    [Buffer.from("hunter2"), "bytes"],
    [{ [Symbol.toStringTag]: "hunter2" }, "an object"],
  ])("%o: %s", (value, text) => {
    expect(describe(value)).toBe(text);
  });

  it.each([
    ["user:hunter2@host:9092", '"…@host:9092"'],
    ["SASL_SSL://user:hun,ter2/@hunter2@host:9092", '"…@host:9092"'],
    ["u:hunter2@a:1,u:hunter2@b:2", '"…@b:2"'],
    ["u:\nhunter2@h", '"…@h"'],
    ["https://h/jwks?token=hunter2", '"https://h/jwks?…"'],
    ["https://h/jwks?mail=a@b&token=hunter2", '"…@…"'],
    ["u:hun?ter2@h:1", '"…@…"'],
    ["https://u:hunter2@h/jwks?token=hunter2", '"…@h/jwks?…"'],
    ["what?", '"what?"'],
    ["-----BEGIN PRIVATE KEY-----\nhunter2", "PEM text"],
    ["key: -----BEGIN EC PRIVATE KEY-----", "PEM text"],
  ])("hides what may be a secret in %j", (text, shown) => {
    expect(describeText(text)).toBe(shown);
  });

  it("hides a password that was split by its comma", () => {
    expect(describe(["u:hun", "ter2@a:1", "b:2"])).toBe('[…, "…@a:1", "b:2"]');
  });

  it("shows nothing of a secret but its kind and length", () => {
    expect(["hunter2", "", "x", 42, 42n, ["hunter2"], { a: "hunter2" }, null].map(describeSecret)).toEqual([
      "a text of 7 characters",
      "an empty text",
      "a text of 1 character",
      "a number",
      "a number",
      "an array",
      "an object",
      "null",
    ]);
  });

  it("shows names as they are, if they are names", () => {
    expect(describeName("sasl.password")).toBe("sasl.password");
    expect(describeName("u:hunter2@h")).toBe('"…@h"');
  });
});

group("the nearest name", () => {
  const known = [
    "service",
    "log",
    "shutdownSignal",
    "settleTimeoutMs",
    "kafka",
    "kafka.brokers",
    "kafka.closeTimeoutMs",
  ];
  it.each([
    ["serviceName", "service"],
    ["Service", "service"],
    ["srevice", "service"],
    ["settleTimeout", "settleTimeoutMs"],
    ["settleTimeoutMS", "settleTimeoutMs"],
    ["settle_timeout_ms", "settleTimeoutMs"],
    ["signal", "shutdownSignal"],
    ["logger", "log"],
    ["Kafka", "kafka"],
    ["kafkaBrokers", "kafka.brokers"],
    ["kafka.brokers", "kafka.brokers"],
    ["broker", "kafka.brokers"],
    ["brokerList", "kafka.brokers"],
    ["closeTimeout", "kafka.closeTimeoutMs"],
    ["x", undefined],
    ["verbose", undefined],
    ["__proto__", undefined],
    ["", undefined],
  ])("to %j is %j", (name, nearest) => {
    expect(nearestName(name, known)).toBe(nearest);
  });

  it("is the longer one, if the name is its beginning", () => {
    expect(nearestName("KAFKA_TLS_CA", ["KAFKA_TLS", "KAFKA_TLS_CA_FILE", "KAFKA_TLS_CERT_FILE"])).toBe(
      "KAFKA_TLS_CA_FILE",
    );
  });
});
