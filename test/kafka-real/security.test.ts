import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import {
  createKafkaPublisher,
  type SessionActivityConsumer,
  sessionTrackingFromEnv,
  startSessionTracking,
} from "../../src/kafka/index.js";
import type { SessionTrackingKafkaOptions } from "../../src/kafka/tracking-options.js";
import { startConsumer } from "../kafka/consumer/consumer-fixtures.js";
import { expectIdentity, publishRange, recordingLogger, recordOf } from "../kafka/kafka-fixtures.js";
import { accountClient, marks, startAccountServer } from "../support/account-server.js";
import { until } from "../support/until.js";
import { type SecureBroker, startSecureBroker } from "./secure-broker.js";

let broker: SecureBroker;
let topics = 0;
beforeAll(async () => {
  broker = await startSecureBroker();
});
afterAll(() => broker?.close());

async function newTopic(): Promise<string> {
  topics += 1;
  await broker.cluster.admin.createTopic(`events-${topics}`, 3);
  return `events-${topics}`;
}

async function recordsOn(topic: string): Promise<number> {
  return [...(await broker.cluster.admin.ends(topic)).values()].reduce((sum, end) => sum + Number(end), 0);
}

type Properties = Record<string, string>;

const tls = (more: Properties = {}): Properties => ({
  "security.protocol": "ssl",
  "ssl.ca.location": broker.certificates.ca,
  ...more,
});
const clientCertificate = (more: Properties = {}): Properties =>
  tls({
    "ssl.certificate.location": broker.certificates.client,
    "ssl.key.location": broker.certificates.clientKey,
    ...more,
  });
const login = (user: string, more: Properties = {}): Properties =>
  tls({
    "security.protocol": "sasl_ssl",
    "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.username": user,
    "sasl.password": broker.passwords[user] ?? "",
    ...more,
  });

/** A Connect server with session tracking as a user starts it, and marked calls to it. */
async function startService(kafka: SessionTrackingKafkaOptions) {
  const log = recordingLogger();
  // Rights on the topic of the run records are a matter of closed-runs.test.ts.
  const without = { closeTimeoutMs: 300, runsTopic: false } as const;
  const tracking = startSessionTracking({ service: "account-service", kafka: { ...without, ...kafka }, log });
  onTestFinished(() => void tracking.close());
  const { interceptor, publisher } = tracking;
  const server = await startAccountServer(
    { changePassword: () => ({ revision: 7 }) },
    { interceptors: [interceptor], contextValues: interceptor.contextValues },
  );
  const client = accountClient(server);
  return {
    publisher,
    /** Warnings and errors, as an operator reads them. */
    lines: () => log.lines.filter(({ level }) => level === "warn" || level === "error"),
    async call(times: number) {
      for (let time = 0; time < times; time += 1) {
        const { revision } = await client.changePassword({ oldPassword: "a" }, { headers: marks("c2Vzc2lvbi0x") });
        expect(revision).toBe(7);
      }
    },
    /** Calls until it holds. Then all outcomes are known. */
    async callUntil(condition: () => boolean) {
      const called = async (): Promise<boolean> => {
        await this.call(1);
        return condition();
      };
      await until(called, this.lines);
      await until(() => publisher.stats().queued === 0, publisher.stats);
    },
    async close() {
      const stats = await tracking.close();
      expectIdentity(stats);
      return stats;
    },
  };
}

/** None of them came twice: each was told within one minute. */
function expectNoRepetition(lines: readonly { message: string }[]): void {
  const messages = lines.map(({ message }) => message);
  expect(messages).toEqual([...new Set(messages)]);
}

const ways: readonly [name: string, listener: "TLS" | "MTLS" | "SASL", user: string | undefined, () => Properties][] = [
  ["TLS", "TLS", undefined, () => tls()],
  ["mutual TLS", "MTLS", "client", () => clientCertificate()],
  ["SCRAM-SHA-512 over TLS", "SASL", "writer", () => login("writer")],
  ["PLAIN over TLS", "SASL", "writer", () => login("writer", { "sasl.mechanism": "PLAIN" })],
];

const variables: Readonly<Record<string, () => Properties>> = {
  TLS: () => ({ TLS_CA_FILE: broker.certificates.ca }),
  "mutual TLS": () => ({
    TLS_CA_FILE: broker.certificates.ca,
    TLS_CERT_FILE: broker.certificates.client,
    TLS_KEY_FILE: broker.certificates.clientKeyEncrypted,
    TLS_KEY_PASSWORD: broker.certificates.keyPassword,
  }),
  "SCRAM-SHA-512 over TLS": () => ({
    TLS_CA_FILE: broker.certificates.ca,
    SASL_MECHANISM: "SCRAM-SHA-512",
    SASL_USERNAME: "writer",
    SASL_PASSWORD: broker.passwords["writer"]!,
  }),
  "PLAIN over TLS": () => ({
    TLS_CA_FILE: broker.certificates.ca,
    SASL_MECHANISM: "PLAIN",
    SASL_USERNAME: "writer",
    SASL_PASSWORD: broker.passwords["writer"]!,
  }),
};

describe.each(ways)("%s", (name, listener, user, properties) => {
  test("publishes", async () => {
    const topic = await newTopic();
    if (user !== undefined) await broker.allow(user, ["write", "topic", topic]);
    const service = await startService({ brokers: broker.address(listener), topic, properties: properties() });
    await service.call(5);
    await until(() => service.publisher.stats().delivered === 5, service.lines);
    expect(await service.close()).toEqual({ offered: 5, delivered: 5, dropped: {}, queued: 0 });
    expect(await recordsOn(topic)).toBe(5);
  });

  test("publishes as the environment says", async () => {
    const topic = await newTopic();
    if (user !== undefined) await broker.allow(user, ["write", "topic", topic]);
    const env = { BROKERS: broker.address(listener), TOPIC: topic, ...variables[name]!() };
    const { kafka } = sessionTrackingFromEnv(
      Object.fromEntries(Object.entries(env).map(([suffix, value]) => [`SESSION_TRACKING_KAFKA_${suffix}`, value])),
    );
    const service = await startService(kafka!);
    await service.call(5);
    await until(() => service.publisher.stats().delivered === 5, service.lines);
    expect((await service.close()).delivered).toBe(5);
    expect(await recordsOn(topic)).toBe(5);
  });

  test("consumes", async () => {
    const topic = await newTopic();
    const groupId = `readers of ${topic}`;
    if (user !== undefined) await broker.allow(user, ["read", "topic", topic], ["read", "group", groupId]);
    const publisher = createKafkaPublisher({ brokers: broker.cluster.brokers, topic });
    publishRange(publisher, 1, 20);
    await publisher.close();
    const handled = new Set<string>();
    const consumer = startConsumer({
      brokers: broker.address(listener),
      topic,
      groupId,
      properties: properties(),
      handle: ({ eventId }) => void handled.add(eventId),
    });
    await until(() => handled.size === 20, consumer.stats);
    await consumer.close();
    const committed = await broker.cluster.admin.committed(groupId, topic);
    expect([...committed.values()].reduce((sum, offset) => sum + Number(offset), 0)).toBe(20);
  });
});

const troubles: readonly [name: string, kafka: () => SessionTrackingKafkaOptions, told: RegExp][] = [
  [
    "an authority that the broker's certificate is not from",
    () => ({ brokers: broker.address("TLS"), properties: tls({ "ssl.ca.location": broker.certificates.otherCa }) }),
    /certificate is not trusted: ssl\.ca\.location must name/,
  ],
  [
    "a host that the broker's certificate is not for",
    () => ({
      brokers: broker.address("TLS").replace("127.0.0.1", "localhost"),
      properties: tls({ "broker.address.family": "v4" }),
    }),
    /certificate is not trusted: .* brokers the host that it is for/,
  ],
  [
    "no client certificate where one is asked for",
    () => ({ brokers: broker.address("MTLS"), properties: tls() }),
    /did not accept this client's certificate: check ssl\.certificate\.location/,
  ],
  [
    "TLS to a listener without",
    () => ({ brokers: broker.cluster.brokers, properties: tls() }),
    /No TLS connection to Kafka: check security\.protocol/,
  ],
  [
    "no TLS to a listener with",
    () => ({ brokers: broker.address("TLS") }),
    /No broker can be reached: .* security\.protocol/,
  ],
  [
    "a wrong password, SCRAM-SHA-512",
    () => ({ brokers: broker.address("SASL"), properties: login("writer", { "sasl.password": "guessed" }) }),
    /refused the login: check sasl\.mechanism, and the user's name and password/,
  ],
  [
    "a wrong password, PLAIN",
    () => ({
      brokers: broker.address("SASL"),
      properties: login("writer", { "sasl.password": "guessed", "sasl.mechanism": "PLAIN" }),
    }),
    /refused the login/,
  ],
  [
    "a mechanism that the broker does not have",
    () => ({ brokers: broker.address("SASL"), properties: login("writer", { "sasl.mechanism": "SCRAM-SHA-256" }) }),
    /refused the login: check sasl\.mechanism/,
  ],
];

describe("no way in: calls succeed, events queue, and the log says what to do", () => {
  test.each(troubles)("%s", async (_, kafka, told) => {
    const service = await startService(kafka());
    await service.call(10);
    await until(() => service.lines().some(({ message }) => told.test(message)), service.lines);
    await service.call(10);
    expect(service.publisher.stats()).toEqual({ offered: 20, delivered: 0, dropped: {}, queued: 20 });
    expect(await service.close()).toEqual({ offered: 20, delivered: 0, dropped: { close_timeout: 20 }, queued: 0 });
    expectNoRepetition(service.lines());
    expect(service.lines().length).toBeLessThanOrEqual(3);
    expect(JSON.stringify(service.lines())).not.toMatch(/guessed|-secret|c2Vzc2lvbi0x/);
  });

  test("for longer than deliveryTimeoutMs: events are counted as expired, and told once", async () => {
    const properties = login("writer", { "sasl.password": "guessed" });
    const service = await startService({ brokers: broker.address("SASL"), properties, deliveryTimeoutMs: 1_000 });
    await service.call(10);
    await until(() => service.publisher.stats().dropped.expired === 10, service.publisher.stats);
    await service.call(10);
    await until(() => service.publisher.stats().dropped.expired === 20, service.publisher.stats);
    expect(await service.close()).toEqual({ offered: 20, delivered: 0, dropped: { expired: 20 }, queued: 0 });
    expectNoRepetition(service.lines());
  });

  test("a key that cannot be read: events are dropped and counted at once", async () => {
    const wrong = {
      "ssl.key.location": broker.certificates.clientKeyEncrypted,
      "ssl.key.password": "guessed",
    };
    const service = await startService({ brokers: broker.address("MTLS"), properties: clientCertificate(wrong) });
    await service.call(10);
    expect(await service.close()).toEqual({ offered: 10, delivered: 0, dropped: { error: 10 }, queued: 0 });
    expect(service.lines().map(({ message }) => message)).toContain(
      "The Kafka producer cannot start, all events are dropped: check its properties and the files that they name",
    );
    expectNoRepetition(service.lines());
    expect(JSON.stringify(service.lines())).not.toContain("guessed");
  });
});

describe("no right to write: calls succeed, events are counted as unauthorized", () => {
  const refusedRight =
    "Events dropped: Kafka does not allow this client's user to write there; grant it WRITE on the topic";

  test("in this topic; once it is granted they arrive, and where it is taken away they are counted again", async () => {
    const [topic, other] = [await newTopic(), await newTopic()];
    // The right to write somewhere is also the right to be idempotent.
    await broker.allow("mixed", ["write", "topic", other]);
    const service = await startService({ brokers: broker.address("SASL"), topic, properties: login("mixed") });
    await service.call(20);
    await until(() => (service.publisher.stats().dropped.unauthorized ?? 0) === 20, service.lines);
    expect(service.lines()).toMatchObject([
      { level: "warn", message: refusedRight, details: { topic, error: "ERR_TOPIC_AUTHORIZATION_FAILED" } },
    ]);

    await broker.allow("mixed", ["write", "topic", topic]);
    await service.callUntil(() => service.publisher.stats().delivered > 0);

    await broker.disallow("mixed");
    const { unauthorized = 0 } = service.publisher.stats().dropped;
    await service.callUntil(() => (service.publisher.stats().dropped.unauthorized ?? 0) > unauthorized);
    const { delivered } = await service.close();
    expect(await recordsOn(topic)).toBe(delivered);
    expectNoRepetition(service.lines());
  });

  test("anywhere, which refuses the idempotent producer: its successor does without, and delivers once it may", async () => {
    const topic = await newTopic();
    // Allowed to know the topic: then Kafka refuses the record, and not only the metadata.
    await broker.allow("nobody", ["describe", "topic", topic]);
    const service = await startService({ brokers: broker.address("SASL"), topic, properties: login("nobody") });
    await service.call(20);
    await until(
      () => service.lines().some(({ message }) => message.includes("replaced by one without idempotence")),
      service.lines,
    );
    await service.call(20);
    await until(() => service.publisher.stats().queued === 0, service.publisher.stats);
    const { dropped } = service.publisher.stats();
    expect((dropped.unauthorized ?? 0) + (dropped.fatal ?? 0)).toBe(40);
    const messages = service.lines().map(({ message }) => message);
    expect(messages).toContain(
      "Kafka does not allow this client's user to write anywhere: grant it WRITE on the topic, and before Kafka 3.0 also IDEMPOTENT_WRITE on the cluster",
    );
    expectNoRepetition(service.lines());

    await broker.allow("nobody", ["write", "topic", topic]);
    await service.callUntil(() => service.publisher.stats().delivered > 0);
    const { delivered } = await service.close();
    expect(await recordsOn(topic)).toBe(delivered);
  });
});

describe("a consumer that may not read says why, waits, and goes on once it may", () => {
  test("a wrong password", async () => {
    const log = recordingLogger();
    const properties = login("reader", { "sasl.password": "guessed" });
    const consumer = startConsumer({
      brokers: broker.address("SASL"),
      topic: await newTopic(),
      properties,
      handle: () => {},
      log,
    });
    await until(
      () => log.lines.some(({ message }) => /refused the login/.test(message)),
      () => log.lines,
    );
    expect(consumer.stats().problems).toEqual(["read_blocked"]);
    expect(await endOf(consumer)).toBe("no end");
    await consumer.close();
    expect(await endOf(consumer)).toBe("closed");
    expectNoRepetition(log.lines);
    expect(JSON.stringify(log.lines)).not.toContain("guessed");
  });

  test.each(["classic", "consumer"])("no right to the group, then none to the topic, protocol %s", async (protocol) => {
    const log = recordingLogger();
    const topic = await newTopic();
    const groupId = `readers of ${topic}`;
    const publisher = createKafkaPublisher({ brokers: broker.cluster.brokers, topic });
    publishRange(publisher, 1, 10);
    await publisher.close();
    const handled = new Set<string>();
    const consumer = startConsumer({
      brokers: broker.address("SASL"),
      topic,
      groupId,
      log,
      properties: { ...login("reader"), "group.protocol": protocol },
      handle: ({ eventId }) => void handled.add(eventId),
    });
    const isTold = (part: string) => () => log.lines.some(({ message }) => message.includes(part));
    await until(isTold("grant it READ on the group"), () => log.lines);
    expect(consumer.stats().problems).toEqual(["read_blocked"]);
    await broker.allow("reader", ["read", "group", groupId]);
    await until(isTold("grant it READ on the topic"), () => log.lines);
    await broker.allow("reader", ["read", "topic", topic]);
    await until(
      () => handled.size === 10,
      () => [consumer.stats(), log.lines],
    );
    expect(consumer.stats().problems).toEqual([]);
    expect(await endOf(consumer)).toBe("no end");
    await consumer.close();
    expect(await endOf(consumer)).toBe("closed");
    expectNoRepetition(log.lines);
    await broker.disallow("reader");
  });

  test("only what no time can heal ends it: a key that cannot be read", async () => {
    const log = recordingLogger();
    const wrong = { "ssl.key.location": broker.certificates.clientKeyEncrypted, "ssl.key.password": "guessed" };
    const consumer = startConsumer({
      brokers: broker.address("MTLS"),
      topic: await newTopic(),
      properties: clientCertificate(wrong),
      handle: () => {},
      log,
    });
    await expect(consumer.closed).rejects.toThrow(/cannot start .*check its properties and the files that they name/);
    expect(log.lines.map(({ message }) => message)).toContain("The consumer has ended");
  });

  test("its dead letters take the same way", async () => {
    const [topic, deadLetterTopic] = [await newTopic(), await newTopic()];
    const groupId = `readers of ${topic}`;
    await broker.allow("reader", ["read", "topic", topic], ["read", "group", groupId]);
    const log = recordingLogger();
    const publisher = createKafkaPublisher({ brokers: broker.cluster.brokers, topic });
    publisher.publish(recordOf(1, { eventId: "" }));
    await publisher.close();
    const consumer = startConsumer({
      brokers: broker.address("SASL"),
      topic,
      groupId,
      deadLetterTopic,
      log,
      properties: login("reader"),
      handle: () => {},
    });
    await until(
      () => consumer.stats().retried > 0,
      () => [consumer.stats(), log.lines],
    );
    expect(consumer.stats().invalid).toEqual({});
    await broker.allow("reader", ["write", "topic", deadLetterTopic]);
    await until(
      () => consumer.stats().invalid.no_event_id === 1,
      () => [consumer.stats(), log.lines],
    );
    expect(await recordsOn(deadLetterTopic)).toBe(1);
    await consumer.close();
  });
});

/** Whether a consumer has ended, and how. */
function endOf({ closed }: SessionActivityConsumer): Promise<"no end" | "closed" | "failed"> {
  const end = closed.then(
    () => "closed" as const,
    () => "failed" as const,
  );
  return Promise.race([end, delay(50, "no end" as const)]);
}
