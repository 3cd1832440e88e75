import { connect } from "node:net";
import { expect, test } from "vitest";
import { createKafkaPublisher, createSessionActivityConsumer, startEmbeddedKafka } from "../../src/kafka/index.js";
import { until } from "../support/until.js";
import { publishRange } from "./kafka-fixtures.js";

test("takes events of any client, and is gone after close, which may be called twice", async () => {
  const kafka = await startEmbeddedKafka();
  const publisher = createKafkaPublisher({ brokers: kafka.brokers, log: false });
  publishRange(publisher, 1, 10);
  expect((await publisher.close()).delivered).toBe(10);

  expect(await answers(kafka.brokers)).toBe(true);
  await Promise.all([kafka.close(), kafka.close()]);
  expect(await answers(kafka.brokers)).toBe(false);
});

test("has as many brokers as asked for", async () => {
  const kafka = await startEmbeddedKafka({ brokers: 3 });
  const addresses = kafka.brokers.split(",");
  expect(new Set(addresses).size).toBe(3);
  for (const address of addresses) expect(await answers(address)).toBe(true);
  await kafka.close();
});

test("has its topics from the start, so that a reader may come before the first event", async () => {
  const kafka = await startEmbeddedKafka({ topics: ["early"] });
  const ids: string[] = [];
  const consumer = createSessionActivityConsumer({
    brokers: kafka.brokers,
    topic: "early",
    groupId: "early-bird",
    properties: { "group.protocol": "consumer" },
    handle: ({ eventId }) => void ids.push(eventId),
    onInvalid() {},
  });
  await until(() => consumer.stats().assigned === 4);
  const publisher = createKafkaPublisher({ brokers: kafka.brokers, topic: "early", log: false });
  publishRange(publisher, 1, 10);
  await until(() => ids.length === 10);
  await Promise.all([publisher.close(), consumer.close()]);
  await kafka.close();
});

test.each([0, 1.5, "3"])("brokers: %j is a TypeError", async (brokers) => {
  // @ts-expect-error: one of them is no number
  await expect(startEmbeddedKafka({ brokers })).rejects.toThrow(TypeError);
});

function answers(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const [host, port] = address.split(":");
    const socket = connect(Number(port), host);
    socket.on("error", () => resolve(false));
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}
