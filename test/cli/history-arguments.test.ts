import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { helpOf } from "../../src/cli/command.js";
import { historyOptions, readHistoryArguments } from "../../src/cli/history-arguments.js";
import { historyCommand } from "../../src/cli/history-command.js";
import { workerVariables } from "../../src/cli/worker-options.js";
import { refusalOf } from "../support/refusal.js";

const needed = ["--brokers", "k:9092", "--database", "postgresql://reader@db/history"];
const read = (args: readonly string[], env: Record<string, string> = {}) => readHistoryArguments(args, env);

function fileWith(bytes: string | Uint8Array): string {
  const folder = mkdtempSync(join(tmpdir(), "tombstone-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "key"), bytes);
  return join(folder, "key");
}

/** What the library's own tables say. */
const defaults = {
  history: {
    schema: "signal_history",
    requireVerified: false,
    keepAll: false,
    latenessMs: 86_400_000,
    tombstoneKey: undefined,
  },
  kafka: {
    topic: "session-activities",
    groupId: "session-activity-history",
    deadLetterTopic: undefined,
    oauthToken: undefined,
    properties: {},
    closeTimeoutMs: 10_000,
  },
  health: { port: undefined, host: undefined },
  maxBackoffMs: 5_000,
  giveUpAfterMs: 600_000,
  stuckAfterMs: 60_000,
  compactEveryMs: 60_000,
};

describe("arguments", () => {
  test("have defaults", () => {
    const { address, options } = read(needed);
    expect(address).toEqual({
      url: "postgresql://reader@db/history",
      maxConnections: 4,
      timeoutMs: 30_000,
      readOnly: false,
    });
    expect(options).toEqual({
      ...defaults,
      history: expect.objectContaining(defaults.history),
      kafka: { ...defaults.kafka, brokers: "k:9092" },
    });
  });

  test("say everything there is to say", () => {
    const args = [
      ...["--brokers=a:1,b:2", "--database", "./folder", "--topic", "activities", "--group", "g", "--schema", "s"],
      ...["--require-verified", "--lateness-hours", "960", "--dead-letter-topic", "dead"],
      ...["--health-port", "0", "--health-host", "::1", "--tombstone-key-file", fileWith("0123456789abcdef\n")],
    ];
    const { address, options } = read(args);
    expect(address.url).toBe("./folder");
    expect(options).toEqual({
      ...defaults,
      history: expect.objectContaining({
        schema: "s",
        requireVerified: true,
        // Longer than Node's timers go.
        latenessMs: 40 * 86_400_000,
        tombstoneKey: Buffer.from("0123456789abcdef"),
      }),
      kafka: { ...defaults.kafka, brokers: "a:1,b:2", topic: "activities", groupId: "g", deadLetterTopic: "dead" },
      health: { port: 0, host: "::1" },
    });
  });

  test("may be left out for what variables say", () => {
    const env = {
      SESSION_TRACKING_KAFKA_BROKERS: "env:9092",
      SESSION_HISTORY_DATABASE: "./folder",
      SESSION_HISTORY_MAX_CONNECTIONS: "8",
      SESSION_HISTORY_TIMEOUT_MS: "1000",
      SESSION_HISTORY_SCHEMA: "s",
      SESSION_HISTORY_REQUIRE_VERIFIED: "true",
      SESSION_HISTORY_KEEP_ALL: "true",
      SESSION_HISTORY_LATENESS_MS: "3456000000",
      SESSION_HISTORY_MAX_SET_ASIDE_BYTES: "6",
      SESSION_HISTORY_TOMBSTONE_KEY_FILE: fileWith("0123456789abcdef"),
      SESSION_HISTORY_GROUP: "g",
      SESSION_HISTORY_DEAD_LETTER_TOPIC: "dead",
      SESSION_HISTORY_CLOSE_TIMEOUT_MS: "1",
      SESSION_HISTORY_MAX_BACKOFF_MS: "2",
      SESSION_HISTORY_COMPACT_EVERY_MS: "3",
      SESSION_HISTORY_GIVE_UP_AFTER_MS: "4000",
      SESSION_HISTORY_STUCK_AFTER_MS: "5",
      SESSION_HISTORY_HEALTH_PORT: "8081",
      SESSION_HISTORY_HEALTH_HOST: "127.0.0.1",
    };
    expect(
      Object.keys(env)
        .filter((name) => name.startsWith("SESSION_HISTORY_"))
        .toSorted(),
    ).toEqual(workerVariables.map(({ name }) => name).toSorted());
    const { address, options } = read([], env);
    expect(address).toEqual({ url: "./folder", maxConnections: 8, timeoutMs: 1_000, readOnly: false });
    expect(options).toMatchObject({
      history: {
        schema: "s",
        requireVerified: true,
        keepAll: true,
        latenessMs: 3_456_000_000,
        maxSetAsideBytes: 6,
        tombstoneKey: expect.any(Uint8Array),
      },
      kafka: { brokers: "env:9092", groupId: "g", deadLetterTopic: "dead", closeTimeoutMs: 1 },
      maxBackoffMs: 2,
      compactEveryMs: 3,
      giveUpAfterMs: 4_000,
      stuckAfterMs: 5,
      health: { port: 8_081, host: "127.0.0.1" },
    });
    const given = read(["--schema", "given", "--health-port", "0", "--group", "other"], env);
    expect(given.options).toMatchObject({
      history: { schema: "given", requireVerified: true },
      kafka: { groupId: "other", deadLetterTopic: "dead" },
      health: { port: 0, host: "127.0.0.1" },
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
      address: { url: env.SESSION_HISTORY_DATABASE },
      options: { kafka: { brokers: "env:9092", topic: "from-env", properties } },
    });
    expect(read([...needed, "--topic", "given"], env)).toMatchObject({
      address: { url: "postgresql://reader@db/history" },
      options: { kafka: { brokers: "k:9092", topic: "given", properties } },
    });
  });

  test("of a key file: the bytes, but for one line break at the end", () => {
    const keyOf = (bytes: string | Uint8Array): unknown =>
      read([...needed, "--tombstone-key-file", fileWith(bytes)]).options.history.tombstoneKey;
    const key = "0123456789abcdef";
    expect(keyOf(key)).toEqual(Buffer.from(key));
    expect(keyOf(`${key}\r\n`)).toEqual(Buffer.from(key));
    expect(keyOf(`${key}\n\n`)).toEqual(Buffer.from(`${key}\n`));
  });
});

describe("wrong arguments", () => {
  const brokers = '"host:port", or several joined by commas or in an array';
  const database = "postgresql://user@host/name, or the path of a folder";
  const topicName = "1 to 249 of A-Z a-z 0-9 . _ -, and neither . nor ..";
  test.each<[string, string[], string, string, string?]>([
    [
      "no brokers",
      ["--database", "x"],
      "--brokers",
      `--brokers must be given, ${brokers}, or the variable SESSION_TRACKING_KAFKA_BROKERS`,
      "MISSING",
    ],
    ["bad brokers", ["--brokers", "a b", "--database", "x"], "--brokers", `--brokers must be ${brokers}, got "a b"`],
    [
      "brokers with a password",
      ["--brokers", "SASL_SSL://u:hunter2@k:1", "--database", "x"],
      "--brokers",
      `--brokers must be ${brokers}, got "…@k:1": an address has no scheme`,
    ],
    [
      "no database",
      ["--brokers", "k:1"],
      "--database",
      `--database must be given, ${database}, or the variable SESSION_HISTORY_DATABASE: a history in memory`,
      "MISSING",
    ],
    [
      "empty database",
      ["--brokers", "k:1", "--database", ""],
      "--database",
      `--database must be ${database}, got an empty text`,
    ],
    [
      "other database",
      ["--brokers", "k:1", "--database", "mysql://u:hunter2@h/d"],
      "--database",
      `--database must be ${database}, got a text of 21 characters`,
    ],
    [
      "odd address",
      ["--brokers", "k:1", "--database", "postgres://u:hunter2@h:port/"],
      "--database",
      `--database must be ${database}, got a text of 28 characters`,
    ],
    [
      "password",
      ["--brokers", "k:1", "--database", "postgres://u:hunter2@h/d"],
      "--database",
      "--database must be without a password",
    ],
    [
      "hidden",
      ["--brokers", "k:1", "--database", "postgres://h/d?password=hunter2"],
      "--database",
      "--database must be without a password",
    ],
    ["bad topic", [...needed, "--topic", "a topic"], "--topic", `--topic must be ${topicName}, got "a topic"`],
    ["empty group", [...needed, "--group", ""], "--group", '--group must be a text that is not empty, got ""'],
    [
      "bad schema",
      [...needed, "--schema", "A"],
      "--schema",
      '--schema must be 1 to 48 of a-z, 0-9 and _, and not begin with a digit, got "A"',
    ],
    [
      "same topic",
      [...needed, "--dead-letter-topic", "session-activities"],
      "--dead-letter-topic",
      '--dead-letter-topic must be another topic than the one that is read, got "session-activities"',
    ],
    [
      "no hours",
      [...needed, "--lateness-hours", "0"],
      "--lateness-hours",
      '--lateness-hours must be a whole number of hours from 1 to 87600, got "0"',
    ],
    ["odd hours", [...needed, "--lateness-hours", "1.5"], "--lateness-hours", 'from 1 to 87600, got "1.5"'],
    [
      "bad port",
      [...needed, "--health-port", "65536"],
      "--health-port",
      '--health-port must be a port from 0 to 65535, got "65536"',
    ],
    [
      "host alone",
      [...needed, "--health-host", "::1"],
      "--health-port",
      "--health-port must be given, a port from 0 to 65535, since --health-host is",
      "MISSING",
    ],
    [
      "no file",
      [...needed, "--tombstone-key-file", "/no/such"],
      "--tombstone-key-file",
      '--tombstone-key-file must be the path of a readable file with at least 16 bytes, got "/no/such"',
    ],
    [
      "unknown",
      [...needed, "--password=hunter2"],
      "--password",
      "--password is unknown, expected one of --brokers, ",
      "UNKNOWN",
    ],
    [
      "misspelt",
      [...needed, "--broker=hunter2"],
      "--broker",
      "--broker is unknown, did you mean --brokers?",
      "UNKNOWN",
    ],
    ["no value", [...needed, "--topic"], "--topic", "--topic must be given with a value, TOPIC, got none", "MISSING"],
    [
      "forgotten value",
      [...needed, "--topic", "--require-verified"],
      "--topic",
      "--topic must be given with a value, TOPIC, got none",
      "MISSING",
    ],
    [
      "value too much",
      [...needed, "--require-verified=no"],
      "--require-verified",
      "--require-verified must be given without a value, got one",
    ],
    ["twice", [...needed, "--database", "x"], "--database", "--database must be given once, got it twice", "CONFLICT"],
    [
      "a word",
      [...needed, "hunter2"],
      "arguments",
      "arguments must be options only, got a word that belongs to no option; --help lists them",
    ],
  ])("%s", (_name, args, option, message, code = "INVALID") => {
    const refusal = refusalOf(() => read(args));
    expect(refusal.message).toContain(message);
    expect(refusal).toMatchObject({ option, code: `ERR_OPTION_${code}` });
    expect(JSON.stringify({ ...refusal, message: refusal.message })).not.toContain("hunter2");
  });

  test("a short key, of which nothing is shown", () => {
    const args = [...needed, "--tombstone-key-file", fileWith("hunter2")];
    expect(() => read(args)).toThrow(
      /^--tombstone-key-file must be the path of a readable file with at least 16 bytes/,
    );
    expect(() => read(args)).not.toThrow(/hunter2/);
  });

  test.each([
    [{ SESSION_TRACKING_KAFKA_TLS: "yes" }, 'SESSION_TRACKING_KAFKA_TLS is "yes", expected true or false'],
    [
      { SESSION_HISTORY_DATABASE: "mysql://u:hunter2@h/d" },
      "SESSION_HISTORY_DATABASE is a secret, expected postgresql://",
    ],
    [
      { SESSION_HISTORY_DATABAES: "hunter2" },
      "SESSION_HISTORY_DATABAES is unknown, did you mean SESSION_HISTORY_DATABASE?",
    ],
    [
      { SESSION_TRACKING_KAFKA_BROKER: "hunter2" },
      "SESSION_TRACKING_KAFKA_BROKER is unknown, did you mean SESSION_TRACKING_KAFKA_BROKERS?",
    ],
  ])("variables, too: %o", (env, message) => {
    const refusal = refusalOf(() => read(needed, env));
    expect(refusal.message).toContain(`\n- ${message}`);
    expect(refusal.message).not.toContain("hunter2");
    expect(refusal).toMatchObject({ code: "ERR_ENVIRONMENT_INVALID", option: Object.keys(env)[0] });
  });

  test("variables that Kubernetes sets for Services of such names are ignored", () => {
    const env = {
      SESSION_HISTORY_PORT: "tcp://10.0.0.1:80",
      SESSION_HISTORY_SERVICE_HOST: "10.0.0.1",
      SESSION_HISTORY_HEALTH_PORT: "tcp://10.0.0.1:80",
      SESSION_HISTORY_HEALTH_PORT_80_TCP: "tcp://10.0.0.1:80",
      SESSION_HISTORY_HEALTH_SERVICE_HOST: "10.0.0.1",
    };
    expect(read(needed, env)).toEqual(read(needed));
  });
});

test("the help names every option, and says the same of it as the documents", () => {
  const lines = helpOf(historyCommand).split("\n");
  for (const { name, meaning } of historyOptions) {
    expect(
      lines.filter((line) => line.startsWith(`  ${name} `)),
      name,
    ).toEqual([expect.stringContaining(meaning.replaceAll("`", ""))]);
  }
});
