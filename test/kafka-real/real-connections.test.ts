import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { connectWithoutBroker } from "../../src/kafka/client/connect.js";
import { connectionProperties } from "../../src/kafka/client/connection-properties.js";
import { loadKafkaClient, type NativeClient, type NativeMetadata } from "../../src/kafka/client/kafka-client.js";
import { createKafkaPublisher } from "../../src/kafka/index.js";
import { expectIdentity, recordOf } from "../kafka/kafka-fixtures.js";
import { loseAcknowledgements, shutProxies, startProxy } from "../kafka/proxy.js";
import { until } from "../support/until.js";
import { type Cluster, startCluster } from "./cluster.js";
import { type Target, targetOf } from "./kafka-target.js";

// A broker of our own, since these tests break its connections.
let cluster: Cluster;
let target: Target;
beforeAll(async () => {
  cluster = await startCluster(1);
  target = targetOf(cluster);
});
afterAll(() => cluster?.close());
afterEach(shutProxies);

/** A producer and a consumer that are not connected yet. */
function clients(): NativeClient[] {
  const properties = { ...connectionProperties, log_level: 0, "bootstrap.servers": cluster.brokers };
  const producer = loadKafkaClient().createProducer(properties);
  const consumer = loadKafkaClient().createConsumer({ ...properties, "group.id": "connect" });
  ends.push(
    () => new Promise((resolve) => void producer.disconnect(0, () => resolve())),
    () => new Promise((resolve) => void consumer.disconnect(() => resolve())),
  );
  return [producer, consumer];
}

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});

async function expectConnected(client: NativeClient): Promise<void> {
  expect(await connectWithoutBroker(client)).toBeUndefined();
  expect(client.isConnected()).toBe(true);
  expect(Object.hasOwn(client, "getMetadata")).toBe(false);
}

/** Not the answer that was given in Kafka's place. */
async function expectRealMetadata(client: NativeClient): Promise<void> {
  const [node] = cluster.nodes;
  expect((await metadata(client, 20_000)).brokers).toEqual([{ id: node?.id, host: "127.0.0.1", port: node?.port }]);
  expect(client.isConnected()).toBe(true);
}

function metadata(client: NativeClient, timeout: number): Promise<NativeMetadata> {
  return new Promise((resolve, reject) => {
    client.getMetadata({ timeout }, (error, found) => (error ? reject(new Error(error.message)) : resolve(found)));
  });
}

test("clients that connect without waiting know the brokers, with Kafka up, lost, and back", async () => {
  const both = clients();
  for (const client of both) await expectConnected(client);
  for (const client of both) await expectRealMetadata(client);
  await cluster.nodes[0]?.kill();
  for (const client of both) await expect(metadata(client, 500)).rejects.toThrow();
  await cluster.nodes[0]?.start();
  await cluster.ready();
  for (const client of both) await expectRealMetadata(client);
});

test("clients that connect while Kafka is down know the brokers once they are there", async () => {
  await cluster.nodes[0]?.kill();
  const both = clients();
  for (const client of both) await expectConnected(client);
  for (const client of both) await expect(metadata(client, 500)).rejects.toThrow();
  await cluster.nodes[0]?.start();
  await cluster.ready();
  for (const client of both) await expectRealMetadata(client);
});

test.each([
  [true, 0],
  [false, 1],
])("lost acknowledgements, idempotence %s: at least %i duplicates", async (isIdempotent, duplicates) => {
  // One producer, one partition, one request after another: each lost acknowledgement is one batch sent twice.
  const topic = await target.topic(1);
  const proxy = await startProxy();
  await proxy.open(target.brokers.split(",")[0]!);
  const publisher = createKafkaPublisher({
    brokers: proxy.address,
    topic,
    log: false,
    properties: { "enable.idempotence": isIdempotent },
  });
  publisher.publish(recordOf(0));
  await until(() => publisher.stats().queued === 0);
  proxy.fault = loseAcknowledgements(5);
  for (let batch = 0; batch < 10; batch += 1) {
    for (let number = 1; number <= 100; number += 1) publisher.publish(recordOf(batch * 100 + number));
    await until(() => publisher.stats().queued === 0);
  }
  expectIdentity(publisher.stats());
  expect(await publisher.close()).toEqual({ offered: 1_001, delivered: 1_001, dropped: {}, queued: 0 });
  const values = (await target.read(topic)).map(({ value }) => String(value));
  expect(new Set(values).size).toBe(1_001);
  if (isIdempotent) expect(values).toHaveLength(1_001);
  else expect(values.length - 1_001).toBeGreaterThanOrEqual(duplicates);
});
