import { createRequire } from "node:module";
import { connect } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import type { NativeClient } from "../../src/kafka/client/kafka-client.js";
import {
  createKafkaPublisher,
  createSessionActivityConsumer,
  type EmbeddedKafkaOptions,
  startEmbeddedKafka,
} from "../../src/kafka/index.js";
import { rejectionOf } from "../support/refusal.js";
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

test("leaves nothing behind if a topic cannot be made", async () => {
  const { Producer }: { Producer: { prototype: NativeClient } } = createRequire(import.meta.url)(
    "@confluentinc/kafka-javascript",
  );
  // The embedded broker never refuses a topic by itself.
  const { getMetadata } = Producer.prototype;
  let address = "";
  const asked = vi.spyOn(Producer.prototype, "getMetadata").mockImplementation(function (
    this: NativeClient,
    options,
    done,
  ) {
    if (options.topic !== undefined) return done({ message: "no", code: 17 }, { brokers: [] });
    return getMetadata.call(this, options, (error, metadata) => {
      address = `${metadata.brokers[0]?.host}:${metadata.brokers[0]?.port}`;
      done(error, metadata);
    });
  });
  onTestFinished(() => asked.mockRestore());
  await expect(startEmbeddedKafka({ topics: ["a"] })).rejects.toThrow("did not create the topic a: no");
  expect(address).toMatch(/^127\.0\.0\.1:\d+$/);
  expect(await answers(address)).toBe(false);
});

test("gives the second member of a group its partitions at once, with the newer protocol", async () => {
  const kafka = await startEmbeddedKafka({ topics: ["t"] });
  for (const _ of [1, 2]) {
    const consumer = createSessionActivityConsumer({
      brokers: kafka.brokers,
      topic: "t",
      groupId: "g",
      properties: { "group.protocol": "consumer" },
      handle() {},
      onInvalid() {},
    });
    await until(() => consumer.stats().assigned === 4, consumer.stats);
    await consumer.close();
  }
  await kafka.close();
});

test.each([
  [{ brokers: 0 }, "brokers", "brokers must be a whole number of brokers from 1 to 2147483647, got 0"],
  [{ brokers: 1.5 }, "brokers", "got 1.5"],
  [{ brokers: "3" }, "brokers", 'got "3"'],
  [{ topics: "a" }, "topics", 'topics must be an array of names of topics, got "a"'],
  [{ topics: ["a b"] }, "topics", 'got ["a b"]'],
])("%j is refused", async (options, option, message) => {
  const refusal = await rejectionOf(startEmbeddedKafka(options as EmbeddedKafkaOptions));
  expect(refusal.message).toContain(message);
  expect(refusal).toMatchObject({ option, code: "ERR_OPTION_INVALID" });
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
