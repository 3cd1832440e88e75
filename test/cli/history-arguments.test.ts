import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { historyOptions, readHistoryArguments } from "../../src/cli/history-arguments.js";
import { historyHelp } from "../../src/cli/history-help.js";

const needed = ["--brokers", "k:9092", "--database", "postgresql://reader@db/history"];
const read = (args: readonly string[], env: Record<string, string> = {}) => readHistoryArguments(args, env);

function fileWith(bytes: string | Uint8Array): string {
  const folder = mkdtempSync(join(tmpdir(), "tombstone-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "key"), bytes);
  return join(folder, "key");
}

describe("arguments", () => {
  test("have defaults", () => {
    expect(read(needed)).toEqual({
      database: "postgresql://reader@db/history",
      history: { schema: undefined, requireVerified: false, latenessMs: undefined, tombstoneKey: undefined },
      kafka: {
        brokers: "k:9092",
        topic: undefined,
        groupId: "session-activity-history",
        deadLetterTopic: undefined,
        properties: {},
      },
      health: undefined,
    });
  });

  test("say everything there is to say", () => {
    const args = [
      ...["--brokers=a:1,b:2", "--database", "./folder", "--topic", "activities", "--group", "g", "--schema", "s"],
      ...["--require-verified", "--lateness-hours", "48", "--dead-letter-topic", "dead"],
      ...["--health-port", "0", "--health-host", "::1", "--tombstone-key-file", fileWith("0123456789abcdef\n")],
    ];
    expect(read(args)).toEqual({
      database: "./folder",
      history: {
        schema: "s",
        requireVerified: true,
        latenessMs: 172_800_000,
        tombstoneKey: Buffer.from("0123456789abcdef"),
      },
      kafka: { brokers: "a:1,b:2", topic: "activities", groupId: "g", deadLetterTopic: "dead", properties: {} },
      health: { port: 0, host: "::1" },
    });
  });

  test("win over the environment, which has the secrets", () => {
    const env = {
      SESSION_TRACKING_KAFKA_BROKERS: "env:9092",
      SESSION_TRACKING_KAFKA_TOPIC: "from-env",
      SESSION_TRACKING_KAFKA_SASL_MECHANISM: "PLAIN",
      SESSION_TRACKING_KAFKA_SASL_USERNAME: "reader",
      SESSION_TRACKING_KAFKA_SASL_PASSWORD: "hunter2",
      SESSION_HISTORY_DATABASE: "postgresql://reader:hunter2@db/history",
    };
    const properties = {
      "security.protocol": "sasl_ssl",
      "sasl.mechanism": "PLAIN",
      "sasl.username": "reader",
      "sasl.password": "hunter2",
    };
    expect(read([], env)).toMatchObject({
      database: env.SESSION_HISTORY_DATABASE,
      kafka: { brokers: "env:9092", topic: "from-env", properties },
    });
    expect(read([...needed, "--topic", "given"], env)).toMatchObject({
      database: "postgresql://reader@db/history",
      kafka: { brokers: "k:9092", topic: "given", properties },
    });
  });

  test("of a key file: the bytes, but for one line break at the end", () => {
    const keyOf = (bytes: string | Uint8Array): unknown =>
      read([...needed, "--tombstone-key-file", fileWith(bytes)]).history.tombstoneKey;
    const key = "0123456789abcdef";
    expect(keyOf(key)).toEqual(Buffer.from(key));
    expect(keyOf(`${key}\r\n`)).toEqual(Buffer.from(key));
    expect(keyOf(`${key}\n\n`)).toEqual(Buffer.from(`${key}\n`));
  });
});

describe("wrong arguments", () => {
  test.each<[string, string[], RegExp]>([
    ["no brokers", ["--database", "x"], /^--brokers must be given, host:port, or SESSION_\S+, got neither$/],
    ["bad brokers", ["--brokers", "a b", "--database", "x"], /^--brokers must be addresses such as .* got "a b"$/],
    ["no database", ["--brokers", "k:1"], /^--database must be given, postgresql:.* got neither: a history in memory/],
    ["empty database", ["--brokers", "k:1", "--database", ""], /^--database must be given/],
    ["other database", ["--brokers", "k:1", "--database", "mysql://u:hunter2@h/d"], /^--database must be postgresql:/],
    [
      "odd address",
      ["--brokers", "k:1", "--database", "postgres://u:hunter2@h:port/"],
      /^--database must be postgresql:/,
    ],
    [
      "password",
      ["--brokers", "k:1", "--database", "postgres://u:hunter2@h/d"],
      /^--database must be without a password/,
    ],
    ["hidden", ["--brokers", "k:1", "--database", "postgres://h/d?password=hunter2"], /must be without a password/],
    ["bad topic", [...needed, "--topic", "a topic"], /^--topic must be 1 to 249 of .* got "a topic"$/],
    ["empty group", [...needed, "--group", ""], /^--group must be a string that is not empty, got ""$/],
    ["bad schema", [...needed, "--schema", "A"], /^--schema must be 1 to 48 of .* got "A"$/],
    [
      "same topic",
      [...needed, "--dead-letter-topic", "session-activities"],
      /^--dead-letter-topic must be another topic/,
    ],
    ["no hours", [...needed, "--lateness-hours", "0"], /^--lateness-hours must be .* from 1 to 596, got "0"$/],
    ["odd hours", [...needed, "--lateness-hours", "1.5"], /^--lateness-hours must be .* got "1.5"$/],
    ["bad port", [...needed, "--health-port", "65536"], /^--health-port must be .* 0 to 65535, got "65536"$/],
    [
      "host alone",
      [...needed, "--health-host", "::1"],
      /^--health-port must be given where --health-host is, got none$/,
    ],
    ["no file", [...needed, "--tombstone-key-file", "/no/such"], /^--tombstone-key-file must be .* got "\/no\/such"$/],
    ["unknown", [...needed, "--password=hunter2"], /^--password is unknown, expected one of --brokers, /],
    ["no value", [...needed, "--topic"], /^--topic must have a value, TOPIC, got none$/],
    ["forgotten value", [...needed, "--topic", "--require-verified"], /^--topic must have a value, TOPIC, got none$/],
    ["value too much", [...needed, "--require-verified=no"], /^--require-verified must have no value, got one$/],
    ["twice", [...needed, "--database", "x"], /^--database must be given once, got it twice$/],
    ["a word", [...needed, "hunter2"], /^expected options only, got a word without an option before it$/],
  ])("%s", (_name, args, message) => {
    expect(() => read(args)).toThrow(TypeError);
    expect(() => read(args)).toThrow(message);
    expect(() => read(args)).not.toThrow(/hunter2/);
  });

  test("a short key, of which nothing is shown", () => {
    const args = [...needed, "--tombstone-key-file", fileWith("hunter2")];
    expect(() => read(args)).toThrow(/^--tombstone-key-file must be at least 16 bytes, .*7 of them/);
    expect(() => read(args)).not.toThrow(/hunter2/);
  });

  test("variables, too", () => {
    expect(() => read(needed, { SESSION_TRACKING_KAFKA_TLS: "yes" })).toThrow(/SESSION_TRACKING_KAFKA_TLS is "yes"/);
    const database = { SESSION_HISTORY_DATABASE: "mysql://u:hunter2@h/d" };
    expect(() => read(["--brokers", "k:1"], database)).toThrow(/^SESSION_HISTORY_DATABASE must be postgresql:/);
  });
});

test("the help and the README name every option, and say the same of it", () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const rows = historyOptions.map(
    ({ name, value, meaning, byDefault }) =>
      `| \`${value === undefined ? name : `${name} ${value}`}\` | ${meaning} | ${byDefault} |`,
  );
  expect(readme).toContain(["| Option | Meaning | Default |", "| --- | --- | --- |", ...rows].join("\n"));
  const lines = historyHelp().split("\n");
  for (const { name, meaning } of historyOptions) {
    expect(
      lines.filter((line) => line.startsWith(`  ${name} `)),
      name,
    ).toEqual([expect.stringContaining(meaning.replaceAll("`", ""))]);
  }
});
