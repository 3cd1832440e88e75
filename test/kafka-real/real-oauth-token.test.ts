import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from "vitest";
import {
  createKafkaPublisher,
  type KafkaPublisherOptions,
  type OAuthToken,
  startSessionTracking,
} from "../../src/kafka/index.js";
import { startConsumer } from "../kafka/consumer/consumer-fixtures.js";
import { eventIds, publishRange, recordingLogger, recordOf } from "../kafka/kafka-fixtures.js";
import { accountClient, marks, startAccountServer } from "../support/account-server.js";
import { until } from "../support/until.js";
import { type SecureBroker, startSecureBroker } from "./secure-broker.js";
import { unsecuredToken } from "./unsecured-token.js";

let broker: SecureBroker;
let topic: string;
let topics = 0;
beforeAll(async () => {
  broker = await startSecureBroker();
});
afterAll(() => broker?.close());

/** All tokens that were given out in a test. None of them may appear in what is logged, on any level. */
let tokens: string[] = [];
let log: ReturnType<typeof recordingLogger>;
afterEach(() => {
  for (const token of tokens) expect(JSON.stringify(log.lines)).not.toContain(token);
});

async function prepare(...writers: string[]): Promise<void> {
  tokens = [];
  log = recordingLogger();
  topics += 1;
  topic = `events-${topics}`;
  await broker.cluster.admin.createTopic(topic, 3);
  for (const writer of writers) await broker.allow(writer, ["write", "topic", topic]);
}

/** A token that must not be logged. */
function tokenFor(...given: Parameters<typeof unsecuredToken>): OAuthToken {
  const token = unsecuredToken(...given);
  tokens.push(token.value);
  return token;
}

function startPublisher(oauthToken: () => Promise<OAuthToken>, more: Partial<KafkaPublisherOptions> = {}) {
  const properties = { "ssl.ca.location": broker.certificates.ca, ...more.properties };
  const publisher = createKafkaPublisher({ brokers: broker.address("OAUTH"), topic, log, oauthToken, properties });
  onTestFinished(() => void publisher.close());
  return publisher;
}

const troubles = () => log.lines.filter(({ level }) => level === "warn" || level === "error");

test("tokens of 5 s keep a publisher and a consumer logged in while nothing happens, on the same connections", async () => {
  await prepare("writer");
  const groupId = `readers of ${topic}`;
  await broker.allow("reader", ["read", "topic", topic], ["read", "group", groupId]);
  // What librdkafka says of connections that are closed.
  const properties = { "ssl.ca.location": broker.certificates.ca, "log.connection.close": true, log_level: 6 };
  let asked = 0;
  const giveTo = (principal: string) => async () => {
    asked += 1;
    return tokenFor(principal, 5_000);
  };
  const handled: string[] = [];
  const consumer = startConsumer({
    brokers: broker.address("OAUTH"),
    topic,
    groupId,
    log,
    properties,
    oauthToken: giveTo("reader"),
    handle: ({ eventId }) => void handled.push(eventId),
  });
  const publisher = startPublisher(giveTo("writer"), { properties });
  publishRange(publisher, 1, 10);
  await until(
    () => handled.length === 10,
    () => [publisher.stats(), consumer.stats(), log.lines],
  );
  // A broker that has just started may have had to be asked twice.
  const before = log.lines.length;
  await delay(16_000);
  publishRange(publisher, 11, 20);
  await until(
    () => handled.length === 20,
    () => [publisher.stats(), consumer.stats(), log.lines],
  );
  expect(await publisher.close()).toEqual({ offered: 20, delivered: 20, dropped: {}, queued: 0 });
  await consumer.close();
  expect(handled.sort()).toEqual(eventIds(1, 20).sort());
  expect(asked).toBeGreaterThanOrEqual(8);
  const since = log.lines.slice(before);
  expect(since.filter(({ level, message }) => level !== "info" || /Disconnected|closed by/.test(message))).toEqual([]);
});

test("a first token that cannot be had: calls succeed, events queue, and go out with the next one", async () => {
  await prepare("writer");
  let asked = 0;
  const tracking = startSessionTracking({
    service: "account-service",
    log,
    kafka: {
      brokers: broker.address("OAUTH"),
      topic,
      // The writer may write events only.
      runsTopic: false,
      // As the environment's SESSION_TRACKING_KAFKA_TLS_CA_FILE says it.
      properties: { "security.protocol": "ssl", "ssl.ca.location": broker.certificates.ca },
      async oauthToken() {
        asked += 1;
        const token = tokenFor("writer", 60_000);
        if (asked < 3) throw new Error(`the identity provider is down, but here is ${token.value}`);
        return token;
      },
    },
  });
  const { interceptor, publisher } = tracking;
  const server = await startAccountServer(
    { changePassword: () => ({ revision: 7 }) },
    { interceptors: [interceptor], contextValues: interceptor.contextValues },
  );
  const client = accountClient(server);
  const call = () => client.changePassword({ oldPassword: "a" }, { headers: marks() });
  for (let time = 0; time < 5; time += 1) expect((await call()).revision).toBe(7);
  expect(asked).toBeLessThan(3);
  expect(publisher.stats()).toEqual({ offered: 5, delivered: 0, dropped: {}, queued: 5 });
  await until(
    () => publisher.stats().delivered === 5,
    () => log.lines,
  );
  expect(troubles()).toMatchObject([
    { message: expect.stringMatching(/^oauthToken gave no token/), details: { problem: "it failed", error: "Error" } },
  ]);
  expect((await tracking.close()).delivered).toBe(5);
});

test("a token that the broker refuses is told, and replaced without waiting for its expiry", async () => {
  await prepare("writer");
  let asked = 0;
  const publisher = startPublisher(async () => {
    asked += 1;
    return asked === 1 ? tokenFor("writer", 3_600_000, Date.now() - 30_000) : tokenFor("writer", 3_600_000);
  });
  publishRange(publisher, 1, 10);
  await until(() => troubles().some(({ message }) => /refused the login: check .* or the token/.test(message)));
  expect(publisher.stats()).toEqual({ offered: 10, delivered: 0, dropped: {}, queued: 10 });
  await until(
    () => publisher.stats().delivered === 10,
    () => log.lines,
  );
  expect(asked).toBe(2);
});

test("credentials change without a restart: those of before lose all rights, and nothing is lost", async () => {
  await prepare("before", "after");
  let principal = "before";
  let given = "";
  const publisher = startPublisher(async () => {
    given = principal;
    return tokenFor(principal, 4_000);
  });
  let published = 0;
  const timer = setInterval(() => {
    published += 1;
    publisher.publish(recordOf(published));
  }, 20);
  onTestFinished(() => clearInterval(timer));
  await until(
    () => publisher.stats().delivered > 50,
    () => log.lines,
  );
  principal = "after";
  await until(() => given === "after");
  // Kafka does not let a connection change its principal: the one that is open ends with its session.
  await delay(4_000);
  await broker.disallow("before");
  const { delivered } = publisher.stats();
  await until(
    () => publisher.stats().delivered > delivered + 100,
    () => [publisher.stats(), log.lines],
  );
  clearInterval(timer);
  expect(await publisher.close()).toEqual({ offered: published, delivered: published, dropped: {}, queued: 0 });
  const ends = await broker.cluster.admin.ends(topic);
  expect([...ends.values()].reduce((sum, end) => sum + Number(end), 0)).toBe(published);
});

test("dead letters log in with tokens, too", async () => {
  await prepare("writer", "reader");
  const groupId = `readers of ${topic}`;
  const deadLetterTopic = `${topic}-dead`;
  await broker.cluster.admin.createTopic(deadLetterTopic, 1);
  await broker.allow(
    "reader",
    ["read", "topic", topic],
    ["read", "group", groupId],
    ["write", "topic", deadLetterTopic],
  );
  const publisher = startPublisher(async () => tokenFor("writer", 60_000));
  publisher.publish(recordOf(1, { eventId: "" }));
  expect((await publisher.close()).delivered).toBe(1);
  const consumer = startConsumer({
    brokers: broker.address("OAUTH"),
    topic,
    groupId,
    deadLetterTopic,
    log,
    properties: { "ssl.ca.location": broker.certificates.ca },
    oauthToken: async () => tokenFor("reader", 60_000),
    handle: () => {},
  });
  await until(
    () => consumer.stats().invalid.no_event_id === 1,
    () => [consumer.stats(), log.lines],
  );
  await consumer.close();
  expect([...(await broker.cluster.admin.ends(deadLetterTopic)).values()]).toEqual([1n]);
});
