// doctor on set-ups that are broken, each in one way. Logins, rights and replicas need a real Kafka: see test/kafka-real.
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { SessionActivityEventSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { SessionActivityRunSchema } from "../../gen/sessionactivity/v1/session_activity_run_pb.js";
import { createKeys } from "../../src/cli/keys/key-rotation.js";
import { openSignalDatabase } from "../../src/history/index.js";
import { migrateStatement, schemaVersion } from "../../src/history/schema.js";
import { loadKafkaClient } from "../../src/kafka/client/kafka-client.js";
import { type EmbeddedKafka, startEmbeddedKafka } from "../../src/kafka/embedded.js";
import { runProgram } from "../support/program.js";
import { selfSigned } from "../support/self-signed.js";
import { runCommand } from "./run-command.js";

interface Shown {
  readonly kind: string;
  readonly subject: string;
  readonly says: string;
  readonly advice?: string;
}

let kafka: EmbeddedKafka;
let folder: string;
beforeAll(async () => {
  kafka = await startEmbeddedKafka({ topics: ["session-activities", "future"] });
});
afterAll(() => kafka.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "doctor-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/** What it finds, and its exit code. */
async function findings(
  ...args: readonly string[]
): Promise<{ readonly exitCode: number; readonly found: readonly Shown[] }> {
  const { exitCode, lines } = await runCommand("doctor", "--json", ...args);
  return { exitCode, found: lines.map((line) => JSON.parse(line)) };
}

/** What is wrong, as `subject: says`. */
async function wrong(...args: readonly string[]): Promise<string[]> {
  const { exitCode, found } = await findings(...args);
  const bad = found.filter(({ kind }) => kind === "bad");
  expect(exitCode).toBe(bad.length > 0 ? 3 : 0);
  for (const { advice } of bad) expect(advice).toMatch(/\w/);
  return bad.map(({ subject, says }) => `${subject}: ${says}`);
}

/** A server whose clients hang up as they like. */
function quiet(socket: Socket): Socket {
  return socket.on("error", () => {});
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  onTestFinished(() => void server.close());
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("a set-up that works", { timeout: 60_000 }, () => {
  test("is told so, with what cannot be seen and how to see it", async () => {
    const { exitCode, found } = await findings("--brokers", kafka.brokers);
    expect(exitCode).toBe(0);
    expect(found.filter(({ kind }) => kind === "bad")).toEqual([]);
    const subjects = (kind: string): string[] => found.filter((one) => one.kind === kind).map(({ subject }) => subject);
    expect(subjects("good")).toEqual(["Kafka client", `Address ${kafka.brokers}`, "Brokers", "Topic"]);
    expect(subjects("warning")).toEqual(["Replication"]);
    expect(subjects("unchecked")).toEqual(["Topic settings", "Rights", "Clock", "Runs", "Keys", "Database"]);
    const commands = found.filter(({ kind }) => kind === "unchecked").map(({ advice }) => advice);
    expect(commands.join("\n")).toMatch(/^kafka-configs\.sh .*\nkafka-acls\.sh .*\n.*date -u/);
    const text = await runCommand("doctor", "--brokers", kafka.brokers);
    expect(text.stdout).toMatch(/^good {9}Kafka client: librdkafka \d/);
    expect(text.stdout).toMatch(/\nnot checked {2}Rights: .*\n {11} {2}→ kafka-acls\.sh /);
    expect(text.lines.at(-1)).toBe("0 wrong, 1 to be watched, 4 good, 6 not checked");
  });
});

describe("the runs of the last hour", { timeout: 60_000 }, () => {
  test("are told: those that run, those that died, what is declared lost, and holes", async () => {
    const [topic, runsTopic] = ["events-of-runs", "runs"];
    await writeTo(runsTopic, [
      runRecord({ instanceId: "open", lastSequence: 3n, confirmedSequence: 3n }),
      runRecord({
        instanceId: "closed",
        state: "ENDED",
        lastSequence: 2n,
        losses: [{ sequence: 2n, reason: "queue_full\u001b" }],
      }),
      runRecord({ instanceId: "dead", at: minutesAgo(20), lastSequence: 1n }),
      Buffer.from("no run record"),
    ]);
    await writeTo(topic, [
      eventRecord("open", 1),
      eventRecord("open", 3),
      eventRecord("closed", 1),
      eventRecord("dead", 1),
    ]);
    const args = ["--brokers", kafka.brokers, "--topic", topic, "--runs-topic", runsTopic];
    const { exitCode, found } = await findings(...args);
    expect(exitCode).toBe(3);
    const of = (subject: string): Shown | undefined => found.find((one) => one.subject === subject);
    expect(of("Runs")).toMatchObject({
      kind: "warning",
      says: "in the last hour: 1 open; 1 closed by themselves; 1 dead, their tail unknown",
      advice: expect.stringContaining(`session-activity check ${args.join(" ")} --since 2h --until 10m`),
    });
    expect(of("Losses")).toMatchObject({ kind: "bad", says: expect.stringMatching(/^1 events .* lost: queue_full/) });
    expect(of("Holes")).toMatchObject({ kind: "bad", says: expect.stringMatching(/^1 events .* missing/) });
    const { stdout } = await runCommand("doctor", ...args);
    expect(stdout).not.toContain("\u001b[");
    expect(stdout).toContain("queue_full\\u{1b} 1");
  });

  test("are good if all of them run and nothing is lost", async () => {
    await writeTo("good-runs", [runRecord({ instanceId: "open", lastSequence: 1n, confirmedSequence: 1n })]);
    await writeTo("good-events", [eventRecord("open", 1)]);
    const { exitCode, found } = await findings(
      "--brokers",
      kafka.brokers,
      "--topic",
      "good-events",
      "--runs-topic",
      "good-runs",
    );
    expect(exitCode).toBe(0);
    const good = found.filter(({ kind }) => kind === "good").map(({ subject, says }) => `${subject}: ${says}`);
    expect(good.slice(-3)).toEqual([
      "Runs: in the last hour: 1 open",
      "Losses: no event of the last hour is declared lost",
      "Holes: no event of the last hour is missing, up to the last record of each run",
    ]);
  });

  test("are not checked if there are more records than doctor reads, and the command is told", async () => {
    await writeTo(
      "many-runs",
      Array.from({ length: 100_001 }, () => Buffer.from("r")),
    );
    const { found } = await findings("--brokers", kafka.brokers, "--runs-topic", "many-runs");
    expect(found.find(({ subject }) => subject === "Runs")).toMatchObject({
      kind: "unchecked",
      says: expect.stringMatching(/^many-runs has \d+ records of the last hour, and doctor reads 100000/),
      advice: expect.stringContaining("session-activity check "),
    });
  });
});

describe("doctor says what is wrong with", { timeout: 60_000 }, () => {
  test("nobody who says where Kafka is", async () => {
    vi.stubEnv("SESSION_TRACKING_KAFKA_BROKERS", undefined);
    expect(await wrong()).toEqual(["Brokers: nobody says where Kafka is"]);
    const { found } = await findings();
    expect(skippedOf(found)).toEqual(["Topic", "Replication", "Topic settings", "Rights", "Clock", "Runs"]);
  });

  test("an address where nothing listens", async () => {
    expect(await wrong("--brokers", "127.0.0.1:1")).toEqual([
      "Address 127.0.0.1:1: nothing listens there (ECONNREFUSED)",
    ]);
    const { found } = await findings("--brokers", "127.0.0.1:1");
    expect(skippedOf(found)).toEqual([
      "Login",
      "Brokers",
      "Topic",
      "Replication",
      "Topic settings",
      "Rights",
      "Clock",
      "Runs",
    ]);
    const advice = found.find(({ subject }) => subject === "Topic")?.advice;
    expect(advice).toContain("kafka-topics.sh --bootstrap-server 127.0.0.1:1 --describe --topic session-activities");
  });

  test("a host that has no address", async () => {
    const [first] = await wrong("--brokers", "nowhere.invalid:9092");
    expect(first).toMatch(
      /^Address nowhere\.invalid:9092: its host name cannot be resolved \((ENOTFOUND|EAI_AGAIN)\)$/,
    );
  });

  test("a port that speaks TLS while the client does not", async () => {
    const address = await listening(createTlsServer(selfSigned(["127.0.0.1"]), (socket) => void quiet(socket).end()));
    expect((await wrong("--brokers", address))[0]).toBe(`Address ${address}: it speaks TLS, and this client does not`);
  });

  test("a port that does not speak TLS while the client does", async () => {
    vi.stubEnv("SESSION_TRACKING_KAFKA_TLS", "true");
    expect((await wrong("--brokers", kafka.brokers))[0]).toBe(
      `Address ${kafka.brokers}: it does not speak TLS, and this client does`,
    );
  });

  test("a certificate that nobody here trusts", async () => {
    const address = await listening(createTlsServer(selfSigned(["127.0.0.1"]), (socket) => void quiet(socket).end()));
    vi.stubEnv("SESSION_TRACKING_KAFKA_TLS", "true");
    expect((await wrong("--brokers", address))[0]).toMatch(
      /: its certificate (is not trusted|is for another name|has expired)/,
    );
  });

  test("a port of another protocol", async () => {
    const http = await listening(createHttpServer((_, response) => response.end()));
    expect((await wrong("--brokers", http))[0]).toBe(`Address ${http}: it speaks HTTP: this is not a broker of Kafka`);
    const mail = await listening(createServer((socket) => void quiet(socket).end("220 mail.example.org ESMTP\r\n")));
    expect((await wrong("--brokers", mail))[0]).toBe(`Address ${mail}: what answers there is not a broker of Kafka`);
    const mute = await listening(createServer((socket) => void quiet(socket).destroy()));
    expect((await wrong("--brokers", mute))[0]).toBe(
      `Address ${mute}: it takes the connection, and does not answer as a broker of Kafka`,
    );
  });

  test("a topic that is not there", async () => {
    expect(await wrong("--brokers", kafka.brokers, "--topic", "nowhere")).toEqual([
      "Topic: there is no topic nowhere, or this client has no right to see it",
    ]);
  });

  test("a clock that is off", async () => {
    await writeAt(Date.now() + 3_600_000);
    const [first] = await wrong("--brokers", kafka.brokers, "--topic", "future");
    expect(first).toMatch(/^Clock: the newest record is 3[56]\d\d s in the future: this clock is slow/);
  });

  test("a Kafka client that is not installed", async () => {
    const block = join(folder, "block.cjs");
    writeFileSync(
      block,
      `const Module = require("node:module"); const resolve = Module._resolveFilename;
       Module._resolveFilename = function (name, ...rest) {
         if (name !== "@confluentinc/kafka-javascript") return resolve.call(this, name, ...rest);
         throw Object.assign(new Error("Cannot find module '" + name + "'"), { code: "MODULE_NOT_FOUND" });
       };`,
    );
    const program = runProgram("src/cli/session-activity.js", ["doctor", "--brokers", "kafka.internal:9092"], {
      NODE_OPTIONS: `--require=${block}`,
    });
    expect(await program.exit).toBe(3);
    expect(program.stdout).toMatch(/^wrong {8}Kafka client: The Kafka client is not installed\. Run: npm install /);
    expect(program.stdout).toContain("not checked  Kafka: without its client there is no way to see it\n");
    expect(program.stdout).toContain("→ kcat -b kafka.internal:9092 -L");
  });

  test("a key file that is broken, and keys that do not belong together", async () => {
    const keys = createKeys(join(folder, "keys"), "EdDSA");
    vi.stubEnv("SESSION_SIGNATURE_KEY_FILE", join(folder, "keys", "signing-key.json"));
    vi.stubEnv("SESSION_SIGNATURE_KEYS_FILE", join(folder, "keys", "jwks.json"));
    expect(await wrong("--brokers", kafka.brokers)).toEqual([]);
    createKeys(join(folder, "others"), "EdDSA");
    vi.stubEnv("SESSION_SIGNATURE_KEYS_FILE", join(folder, "others", "jwks.json"));
    expect(await wrong("--brokers", kafka.brokers)).toEqual([
      `Keys: services do not know the key ${keys.signing.keyId}, by which this gateway signs`,
    ]);
    writeFileSync(join(folder, "keys", "signing-key.json"), '{"d":"c2VjcmV0"');
    const [broken, ...more] = await wrong("--brokers", kafka.brokers);
    expect(broken).toMatch(
      /^Signing key: SESSION_SIGNATURE_KEY_FILE must be a file with one private key, as PEM or JWK, got one with/,
    );
    expect(more).toEqual([]);
  });

  test("a certificate file that holds none", async () => {
    const path = join(folder, "ca.pem");
    writeFileSync(path, generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "pem" }));
    vi.stubEnv("SESSION_TRACKING_KAFKA_TLS_CA_FILE", path);
    const found = await wrong("--brokers", kafka.brokers);
    expect(found.at(-1)).toMatch(/^Certificate: .*ca\.pem cannot be read: /);
  });

  test("a database that is away, has no schema, or an old one", async () => {
    const away = await wrong("--brokers", kafka.brokers, "--database", "postgresql://127.0.0.1:1/none");
    expect(away).toEqual([expect.stringMatching(/^Database: ECONNREFUSED /)]);
    const path = join(folder, "database");
    const args = ["--brokers", kafka.brokers, "--database", path];
    expect(await wrong(...args)).toEqual(["Database schema: there is no history in the schema signal_history"]);
    const database = openSignalDatabase({ url: path });
    await database.query(migrateStatement("signal_history", 2));
    await database.close();
    expect(await wrong(...args)).toEqual([
      `Database schema: signal_history has version 2, and this package needs ${schemaVersion}`,
    ]);
  });
});

/** What was not checked of Kafka, in the order of the findings. */
function skippedOf(found: readonly Shown[]): string[] {
  return found
    .filter(({ kind, subject }) => kind === "unchecked" && subject !== "Keys" && subject !== "Database")
    .map(({ subject }) => subject);
}

const minutesAgo = (minutes: number): Timestamp => timestampFromMs(Date.now() - 60_000 * minutes);

function runRecord(run: MessageInitShape<typeof SessionActivityRunSchema>): Buffer {
  const usual = { service: "account", state: "RUNNING", startedAt: minutesAgo(30), at: minutesAgo(0) };
  return Buffer.from(toBinary(SessionActivityRunSchema, create(SessionActivityRunSchema, { ...usual, ...run })));
}

function eventRecord(instanceId: string, sequence: number): Buffer {
  const event = { eventId: `${instanceId}-${sequence}`, instanceId, sequence: BigInt(sequence), service: "account" };
  return Buffer.from(toBinary(SessionActivityEventSchema, create(SessionActivityEventSchema, event)));
}

/** Writes a record of another time. */
async function writeAt(timestampMs: number): Promise<void> {
  await writeTo("future", [Buffer.from("x")], timestampMs);
}

async function writeTo(topic: string, values: readonly Buffer[], timestampMs?: number): Promise<void> {
  const producer = loadKafkaClient().createProducer({ "bootstrap.servers": kafka.brokers, dr_cb: true });
  await new Promise<void>((resolve, reject) => {
    producer.connect({}, (error) => (error ? reject(new Error(error.message)) : resolve()));
  });
  producer.setPollInBackground(true);
  await new Promise<void>((resolve) => {
    let left = values.length;
    producer.on("delivery-report", () => {
      left -= 1;
      if (left === 0) resolve();
    });
    for (const value of values) producer.produce(topic, 0, value, null, timestampMs);
  });
  await new Promise<void>((resolve) => {
    producer.disconnect(0, () => resolve());
  });
}
