import { afterEach, expect, it, onTestFinished } from "vitest";
import { createTroubleLog } from "../../../src/base/log.js";
import { followTopic, type TopicTail } from "../../../src/kafka/consumer/topic-tail.js";
import { startEmbeddedKafka } from "../../../src/kafka/embedded.js";
import { until } from "../../support/until.js";
import { killBrokers, startBroker } from "../broker.js";
import { startProxy } from "../proxy.js";
import { write } from "./consumer-fixtures.js";

afterEach(killBrokers);

function follow(brokers: string, from: "oldest" | "newest"): { tail: TopicTail; texts: string[] } {
  const texts: string[] = [];
  const settings = {
    brokers,
    topic: "session-activities",
    groupId: "tail",
    properties: { "fetch.wait.max.ms": 10 },
    oauthToken: undefined,
    from,
  };
  const tail = followTopic(
    settings,
    (messages) => texts.push(...messages.map(({ value }) => Buffer.from(value ?? []).toString())),
    createTroubleLog(false),
  );
  onTestFinished(() => tail.close());
  return { tail, texts };
}

const record = (text: string) => ({ value: Buffer.from(text) });

it("reads what comes from now on, or all that there is, and keeps nobody else from it", async () => {
  const { brokers, close } = await startEmbeddedKafka();
  onTestFinished(close);
  await write(brokers, "session-activities", [record("old")]);
  const oldest = follow(brokers, "oldest");
  const newest = follow(brokers, "newest");
  await Promise.all([oldest.tail.begun, newest.tail.begun]);
  await write(
    brokers,
    "session-activities",
    Array.from({ length: 2_000 }, (_, index) => record(`new ${index}`)),
  );
  await until(() => oldest.texts.length === 2_001 && newest.texts.length === 2_000);
  expect(newest.texts).not.toContain("old");
  expect(newest.tail.isConnected()).toBe(true);
});

it("waits for a broker, and goes on with one that comes back", { timeout: 90_000 }, async () => {
  const proxy = await startProxy();
  onTestFinished(() => proxy.shut());
  const { tail, texts } = follow(proxy.address, "newest");
  const first = await startBroker();
  // A reader brings no topic into being.
  await write(first.address, "session-activities", [record("old")]);
  await proxy.open(first.address);
  await tail.begun;
  await write(first.address, "session-activities", [record("before")]);
  await until(() => texts.includes("before"));
  await proxy.shut();
  await until(() => !tail.isConnected());
  await write(first.address, "session-activities", [record("meanwhile")]);
  await proxy.open(first.address);
  await until(() => texts.includes("meanwhile"));
  expect(texts).toEqual(["before", "meanwhile"]);
});

it("closes while no broker answers", async () => {
  const { tail } = follow("127.0.0.1:1", "newest");
  expect(tail.isConnected()).toBe(false);
  const before = performance.now();
  await tail.close();
  expect(performance.now() - before).toBeLessThan(8_000);
});
