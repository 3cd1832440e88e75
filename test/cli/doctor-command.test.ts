// doctor on set-ups that are broken, each in one way. Logins, rights and replicas need a real Kafka: see test/kafka-real.
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
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
    expect(subjects("unchecked")).toEqual(["Topic settings", "Rights", "Clock", "Keys", "Database"]);
    const commands = found.filter(({ kind }) => kind === "unchecked").map(({ advice }) => advice);
    expect(commands.join("\n")).toMatch(/^kafka-configs\.sh .*\nkafka-acls\.sh .*\n.*date -u/);
    const text = await runCommand("doctor", "--brokers", kafka.brokers);
    expect(text.stdout).toMatch(/^good {9}Kafka client: librdkafka \d/);
    expect(text.stdout).toMatch(/\nnot checked {2}Rights: .*\n {11} {2}→ kafka-acls\.sh /);
    expect(text.lines.at(-1)).toBe("0 wrong, 1 to be watched, 4 good, 5 not checked");
  });
});

describe("doctor says what is wrong with", { timeout: 60_000 }, () => {
  test("nobody who says where Kafka is", async () => {
    vi.stubEnv("SESSION_TRACKING_KAFKA_BROKERS", undefined);
    expect(await wrong()).toEqual(["Brokers: nobody says where Kafka is"]);
  });

  test("an address where nothing listens", async () => {
    expect(await wrong("--brokers", "127.0.0.1:1")).toEqual([
      "Address 127.0.0.1:1: nothing listens there (ECONNREFUSED)",
    ]);
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

/** Writes a record of another time. */
async function writeAt(timestampMs: number): Promise<void> {
  const producer = loadKafkaClient().createProducer({ "bootstrap.servers": kafka.brokers, dr_cb: true });
  await new Promise<void>((resolve, reject) => {
    producer.connect({}, (error) => (error ? reject(new Error(error.message)) : resolve()));
  });
  producer.setPollInBackground(true);
  await new Promise<void>((resolve) => {
    producer.on("delivery-report", () => resolve());
    producer.produce("future", 0, Buffer.from("x"), null, timestampMs);
  });
  await new Promise<void>((resolve) => {
    producer.disconnect(0, () => resolve());
  });
}
