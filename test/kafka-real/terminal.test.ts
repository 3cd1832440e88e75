// tail and doctor on a real Kafka: times are looked up, and logins, rights and replicas are told rightly.
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { createTroubleLog } from "../../src/base/log.js";
import { readerGroupId } from "../../src/cli/reading-arguments.js";
import { beginningsOf } from "../../src/cli/record-stream.js";
import { openTopic } from "../../src/kafka/consumer/topic-reader.js";
import { createKafkaPublisher } from "../../src/kafka/index.js";
import { runCommand } from "../cli/run-command.js";
import { recordOf } from "../kafka/kafka-fixtures.js";
import { startCluster } from "./cluster.js";
import { type SecureBroker, startSecureBroker } from "./secure-broker.js";

let broker: SecureBroker;
beforeAll(async () => {
  broker = await startSecureBroker();
  await broker.cluster.admin.createTopic("seen", 3);
});
afterAll(() => broker?.close());
afterEach(() => {
  vi.unstubAllEnvs();
});

interface Shown {
  readonly kind: string;
  readonly subject: string;
  readonly says: string;
}

/** What doctor finds, by kind, as `subject: says`. */
interface Findings {
  readonly exitCode: number;
  readonly good: readonly string[];
  readonly bad: readonly string[];
  readonly warning: readonly string[];
  readonly unchecked: readonly string[];
}

async function findings(...args: readonly string[]): Promise<Findings> {
  const { exitCode, lines } = await runCommand("doctor", "--json", ...args);
  const found = lines.map((line): Shown => JSON.parse(line));
  const of = (kind: string): string[] =>
    found.filter((one) => one.kind === kind).map(({ subject, says }) => `${subject}: ${says}`);
  return { exitCode, good: of("good"), bad: of("bad"), warning: of("warning"), unchecked: of("unchecked") };
}

function logIn(user: string, password = broker.passwords[user] ?? ""): string[] {
  vi.stubEnv("SESSION_TRACKING_KAFKA_TLS_CA_FILE", broker.certificates.ca);
  vi.stubEnv("SESSION_TRACKING_KAFKA_SASL_MECHANISM", "SCRAM-SHA-512");
  vi.stubEnv("SESSION_TRACKING_KAFKA_SASL_USERNAME", user);
  vi.stubEnv("SESSION_TRACKING_KAFKA_SASL_PASSWORD", password);
  return ["--brokers", broker.address("SASL"), "--topic", "seen"];
}

describe("doctor", { timeout: 60_000 }, () => {
  test("tells a wrong password", async () => {
    const { exitCode, bad, unchecked } = await findings(...logIn("reader", "wrong"));
    expect(exitCode).toBe(3);
    expect(bad).toEqual([expect.stringMatching(/^Login: Kafka refused it: .*SASL/)]);
    const subjects = unchecked.map((one) => one.slice(0, one.indexOf(":")));
    expect(subjects.slice(0, 7)).toEqual([
      "Brokers",
      "Topic",
      "Replication",
      "Topic settings",
      "Rights",
      "Clock",
      "Runs",
    ]);
  });

  test("tells a certificate that is not trusted", async () => {
    const args = logIn("reader");
    vi.stubEnv("SESSION_TRACKING_KAFKA_TLS_CA_FILE", broker.certificates.otherCa);
    const { bad } = await findings(...args);
    expect(bad[0]).toMatch(/^Address .*: its certificate is not trusted/);
  });

  test("tells a right that is missing, and those that are there", async () => {
    const none = await findings(...logIn("nobody"));
    expect(none.bad).toEqual([
      expect.stringMatching(
        /^(Rights: this client has no right to see the topic seen|Topic: there is no topic seen, or)/,
      ),
    ]);
    await broker.allow("reader", ["read", "topic", "seen"], ["describe", "topic", "seen"]);
    const reads = await findings(...logIn("reader"));
    expect(reads.bad).toEqual([]);
    expect(reads.good).toContain("Rights: this client may read seen");
    expect(reads.warning).toContainEqual(expect.stringMatching(/^Rights: this client may not write to seen/));
  });

  test("tells a broker that is down by its replicas", { timeout: 180_000 }, async () => {
    const cluster = await startCluster(3);
    onTestFinished(() => cluster.close());
    await cluster.admin.createTopic("kept", 3);
    const args = ["--brokers", cluster.brokers, "--topic", "kept"];
    const before = await findings(...args);
    expect(before).toMatchObject({ exitCode: 0, bad: [] });
    expect(before.good).toContain("Replication: 3 replicas, all in sync");
    await cluster.nodes[2]?.kill();
    await vi.waitFor(
      async () => {
        const { bad } = await findings(...args);
        expect(bad).toContainEqual(expect.stringMatching(/^Replication: partitions .* have fewer replicas in sync/));
        expect(bad).toContainEqual(expect.stringMatching(/nothing listens there \(ECONNREFUSED\)/));
      },
      { timeout: 60_000, interval: 1_000 },
    );
  });
});

test("tail begins where a time stands", { timeout: 60_000 }, async () => {
  await broker.cluster.admin.createTopic("timed", 2);
  const { address } = broker;
  const args = ["--brokers", address("TLS"), "--topic", "timed"];
  vi.stubEnv("SESSION_TRACKING_KAFKA_TLS_CA_FILE", broker.certificates.ca);
  const properties = { "security.protocol": "ssl", "ssl.ca.location": broker.certificates.ca };
  const publish = async (from: number, to: number): Promise<void> => {
    const publisher = createKafkaPublisher({ brokers: address("TLS"), topic: "timed", properties });
    for (let number = from; number <= to; number++) publisher.publish(recordOf(number));
    await publisher.close();
  };
  await publish(1, 1_000);
  await new Promise((resolve) => {
    setTimeout(resolve, 50);
  });
  const sinceMs = Date.now();
  await publish(1_001, 1_010);
  const { lines, exitCode } = await runCommand(
    "tail",
    ...args,
    "--since",
    new Date(sinceMs).toISOString(),
    "--until",
    "0s",
    "--json",
  );
  expect(exitCode).toBe(0);
  const ids = lines.map((line): string => JSON.parse(line).event.eventId);
  expect(ids.toSorted()).toEqual(Array.from({ length: 10 }, (_, index) => recordOf(1_001 + index).eventId).toSorted());
  // The records before that time are not read: in both partitions together, it begins behind all of them.
  const source = { brokers: address("TLS"), topic: "timed", properties, oauthToken: undefined, groupId: readerGroupId };
  const reader = await openTopic(source, createTroubleLog(false));
  onTestFinished(() => reader.close());
  const beginnings = await beginningsOf(reader, sinceMs);
  expect([...beginnings.values()].reduce((sum, offset) => sum + offset, 0)).toBe(1_000);
});
