import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { loadKafkaClient, type NativeClient, type NativeMetadata } from "../../src/kafka/client.js";
import { connectWithoutBroker } from "../../src/kafka/connect.js";
import { connectionProperties } from "../../src/kafka/connection-properties.js";
import { type Cluster, startCluster } from "./cluster.js";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster(1);
});
afterAll(() => cluster?.close());

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
  for (const client of both) await expectRealMetadata(client);
});

test("clients that connect while Kafka is down know the brokers once they are there", async () => {
  await cluster.nodes[0]?.kill();
  const both = clients();
  for (const client of both) await expectConnected(client);
  for (const client of both) await expect(metadata(client, 500)).rejects.toThrow();
  await cluster.nodes[0]?.start();
  for (const client of both) await expectRealMetadata(client);
});
