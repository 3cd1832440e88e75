// The cells of docs/failures.md that need Apache Kafka: rights, logins and tokens that are taken away, and given back.
import { afterAll, afterEach, beforeAll, expect, onTestFinished, vi } from "vitest";
import { type OpenSignalDatabase, openSignalDatabase } from "../../src/history/index.js";
import {
  type ConsumerStats,
  createKafkaPublisher,
  type KafkaPublisherOptions,
  type OAuthTokenProvider,
} from "../../src/kafka/index.js";
import { startWorker } from "../cli/cli-fixtures.js";
import { observedLog } from "../failures/observed-log.js";
import { runCells, type Starts, type Subject } from "../failures/run-cells.js";
import { startConsumer, write, writeEvents } from "../kafka/consumer/consumer-fixtures.js";
import { publishRange } from "../kafka/kafka-fixtures.js";
import { until } from "../support/until.js";
import { type SecureBroker, startSecureBroker } from "./secure-broker.js";
import { unsecuredToken } from "./unsecured-token.js";

let broker: SecureBroker;
let database: OpenSignalDatabase;
beforeAll(async () => {
  broker = await startSecureBroker({ reauthMs: 3_000 });
  database = openSignalDatabase({ env: false });
  await database.query("select 1");
});
afterAll(async () => {
  await database?.close();
  await broker?.close();
});
afterEach(() => vi.restoreAllMocks());

let topics = 0;
async function newTopic(): Promise<string> {
  topics += 1;
  await broker.cluster.admin.createTopic(`cells-${topics}`, 1);
  return `cells-${topics}`;
}

type Way = Pick<KafkaPublisherOptions, "brokers" | "properties" | "oauthToken">;

const tls = () => ({ "ssl.ca.location": broker.certificates.ca, "reconnect.backoff.max.ms": 500 });
const byPassword = (user: string): Way => ({
  brokers: broker.address("SASL"),
  properties: {
    ...tls(),
    "security.protocol": "sasl_ssl",
    "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.username": user,
    "sasl.password": broker.passwords[user] ?? "",
  },
});
const byToken = (oauthToken: OAuthTokenProvider): Way => ({
  brokers: broker.address("OAUTH"),
  properties: tls(),
  oauthToken,
});

type ReadingComponent = "consumer" | "history worker";

/** Who reads. */
interface Reader {
  stats(): unknown;
  consumed(): ConsumerStats | undefined;
}

function startReading(
  component: ReadingComponent,
  log: ReturnType<typeof observedLog>,
  kafka: Way & { topic: string; groupId: string; deadLetterTopic?: string },
): Reader {
  // The worker's cells come after the consumer's: each has its topic and its schema.
  if (component === "history worker") {
    const history = { schema: kafka.topic.replace("-", "_") };
    const worker = startWorker({ database, history, kafka, stuckAfterMs: 500, log });
    return { stats: worker.stats, consumed: () => worker.stats().consumer };
  }
  const consumer = startConsumer({ ...kafka, handle() {}, stuckAfterMs: 500, retry: { maxBackoffMs: 200 }, log });
  return { stats: consumer.stats, consumed: consumer.stats };
}

/** What can be taken away, and given back. */
interface Refusal {
  begin(user: string): Promise<void>;
  end(user: string, restore: () => Promise<void>): Promise<void>;
}

const rights: Refusal = { begin: (user) => broker.disallow(user), end: (_, restore) => restore() };
const account: Refusal = {
  begin(user) {
    // The user is that of other cells, too.
    onTestFinished(() => broker.restoreUser(user));
    return broker.deleteUser(user);
  },
  end: (user) => broker.restoreUser(user),
};

async function startPublisher(refusal: Refusal): Promise<Subject> {
  const topic = await newTopic();
  const allow = (): Promise<void> => broker.allow("writer", ["write", "topic", topic]);
  await allow();
  const log = observedLog();
  const publisher = createKafkaPublisher({ ...byPassword("writer"), topic, log });
  onTestFinished(async () => void (await publisher.close()));
  publishRange(publisher, 1, 10);
  let isFailing = false;
  const stats = () => {
    // A right is looked up for what is sent after it is gone.
    if (isFailing && publisher.stats().queued === 0) publishRange(publisher, 11, 11);
    return publisher.stats();
  };
  return {
    log,
    stats,
    works: () => until(() => publisher.stats().delivered === 10, stats),
    async fail() {
      await refusal.begin("writer");
      isFailing = true;
    },
    async recover() {
      await refusal.end("writer", allow);
      await until(() => stats().delivered > 10, stats, 60_000);
    },
  };
}

async function startReader(component: ReadingComponent, refusal: Refusal): Promise<Subject> {
  const topic = await newTopic();
  const groupId = `readers of ${topic}`;
  const allow = (): Promise<void> => broker.allow("reader", ["read", "topic", topic], ["read", "group", groupId]);
  await allow();
  const log = observedLog();
  const reader = startReading(component, log, { ...byPassword("reader"), topic, groupId });
  const plain = broker.cluster.brokers;
  await writeEvents(plain, topic, [1, 10], [0]);
  const untilHandled = (count: number): Promise<void> =>
    until(() => reader.consumed()?.handled === count, reader.stats, 60_000);
  return {
    log,
    stats: reader.stats,
    works: () => untilHandled(10),
    fail: () => refusal.begin("reader"),
    async recover() {
      await refusal.end("reader", allow);
      await writeEvents(plain, topic, [11, 20], [0]);
      await untilHandled(20);
      await until(() => reader.consumed()?.problems.length === 0, reader.stats);
    },
  };
}

/** A reader that loses the right to write to its dead-letter topic when it needs it. */
async function startSettingAside(component: ReadingComponent): Promise<Subject> {
  const [topic, deadLetterTopic] = [await newTopic(), await newTopic()];
  const groupId = `readers of ${topic}`;
  const read = [
    ["read", "topic", topic],
    ["read", "group", groupId],
  ] as const;
  await broker.allow("reader", ...read, ["write", "topic", deadLetterTopic]);
  const log = observedLog();
  const reader = startReading(component, log, { ...byPassword("reader"), topic, groupId, deadLetterTopic });
  const plain = broker.cluster.brokers;
  const noEvent = { partition: 0, value: Buffer.from("no event") };
  await write(plain, topic, [noEvent]);
  const aside = (): number => reader.consumed()?.invalid.undecodable ?? 0;
  return {
    log,
    stats: reader.stats,
    works: () => until(() => aside() === 1, reader.stats, 60_000),
    async fail() {
      await broker.disallow("reader");
      await broker.allow("reader", ...read);
      await write(plain, topic, [noEvent]);
    },
    async recover() {
      await broker.allow("reader", ["write", "topic", deadLetterTopic]);
      await until(() => aside() === 2, reader.stats, 60_000);
      expect(reader.consumed()).toMatchObject({ lost: 0, problems: [] });
      expect([...(await broker.cluster.admin.ends(deadLetterTopic)).values()]).toEqual([2n]);
    },
  };
}

const ofReaders = (component: ReadingComponent): Starts => ({
  [`refuses for good (its rights are taken away): ${component}`]: () => startReader(component, rights),
  [`refuses for good (its user is deleted): ${component}`]: () => startReader(component, account),
});

runCells("npm run test:kafka", "Kafka", {
  "refuses for good (the right to write is taken away): service publisher": () => startPublisher(rights),
  "refuses for good (its user is deleted): service publisher": () => startPublisher(account),
  ...ofReaders("consumer"),
  ...ofReaders("history worker"),
});

runCells("npm run test:kafka", "dead-letter topic", {
  "refuses for good (the right to write is taken away): consumer": () => startSettingAside("consumer"),
  "refuses for good (the right to write is taken away): history worker": () => startSettingAside("history worker"),
});

type Wrong = "throws" | "hangs" | "gives none" | "is not accepted";

/** A provider that goes wrong until it is mended. */
function providerFor(principal: string, wrong: Wrong): { readonly give: OAuthTokenProvider; mend(): void } {
  let isMended = false;
  // A provider has 30 s.
  const wait = globalThis.setTimeout;
  vi.spyOn(globalThis, "setTimeout").mockImplementation((work, ms) => wait(work, ms === 30_000 ? 100 : ms));
  const answers: Record<Wrong, OAuthTokenProvider> = {
    throws: () => Promise.reject(new Error("secret")),
    hangs: () => new Promise(() => {}),
    "gives none": () => Promise.resolve({ value: "", lifetimeMs: 1, principal }),
    "is not accepted": () => Promise.resolve(unsecuredToken(principal, 3_600_000, Date.now() - 30_000)),
  };
  return {
    give: () => (isMended ? Promise.resolve(unsecuredToken(principal, 3_600_000)) : answers[wrong]()),
    mend() {
      isMended = true;
    },
  };
}

async function startWriterWith(wrong: Wrong): Promise<Subject> {
  const topic = await newTopic();
  await broker.allow("writer", ["write", "topic", topic]);
  const log = observedLog();
  const provider = providerFor("writer", wrong);
  const publisher = createKafkaPublisher({ ...byToken(provider.give), topic, log });
  onTestFinished(async () => void (await publisher.close()));
  const stats = () => publisher.stats();
  return {
    log,
    stats,
    fail: () => publishRange(publisher, 1, 5),
    async recover() {
      provider.mend();
      await until(() => stats().delivered === 5, stats, 60_000);
      expect(stats()).toMatchObject({ dropped: {}, queued: 0 });
    },
  };
}

async function startReaderWith(component: ReadingComponent, wrong: Wrong): Promise<Subject> {
  const topic = await newTopic();
  const groupId = `readers of ${topic}`;
  await broker.allow("reader", ["read", "topic", topic], ["read", "group", groupId]);
  await writeEvents(broker.cluster.brokers, topic, [1, 10], [0]);
  const log = observedLog();
  const provider = providerFor("reader", wrong);
  let reader: Reader | undefined;
  return {
    log,
    stats: () => reader?.stats() ?? {},
    fail() {
      reader = startReading(component, log, { ...byToken(provider.give), topic, groupId });
    },
    async recover() {
      provider.mend();
      await until(() => reader?.consumed()?.handled === 10, reader?.stats, 60_000);
    },
  };
}

const withTokens = (component: string, start: (wrong: Wrong) => Promise<Subject>): Starts => ({
  [`refuses (it throws): ${component}`]: () => start("throws"),
  [`hangs: ${component}`]: () => start("hangs"),
  [`answers wrongly (it gives no token): ${component}`]: () => start("gives none"),
  [`answers wrongly (the broker does not accept its token): ${component}`]: () => start("is not accepted"),
});

runCells("npm run test:kafka", "token provider", {
  ...withTokens("service publisher", startWriterWith),
  ...withTokens("consumer", (wrong) => startReaderWith("consumer", wrong)),
  ...withTokens("history worker", (wrong) => startReaderWith("history worker", wrong)),
});
