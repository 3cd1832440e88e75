// Kafka behind a door that can fail in every way, and who reads from it.
import { createServer } from "node:net";
import { afterAll, afterEach, beforeAll, onTestFinished, vi } from "vitest";
import { type OpenSignalDatabase, openSignalDatabase } from "../../src/history/index.js";
import { type ConsumerStats, startEmbeddedKafka } from "../../src/kafka/index.js";
import { startWorker } from "../cli/cli-fixtures.js";
import { startConsumer } from "../kafka/consumer/consumer-fixtures.js";
import { api, type Proxy as Door, failProduce, shutProxies, startProxy } from "../kafka/proxy.js";
import type { ObservedLog } from "./observed-log.js";

afterEach(async () => {
  vi.restoreAllMocks();
  await shutProxies();
});

let embedded: OpenSignalDatabase;
let schemas = 0;
beforeAll(async () => {
  embedded = openSignalDatabase({ env: false });
  await embedded.query("select 1");
}, 60_000);
afterAll(() => embedded.close());

/** A door to an embedded broker. */
export async function startKafka(): Promise<{ door: Door; brokers: string }> {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  const door = await startProxy();
  await door.open(kafka.brokers);
  return { door, brokers: kafka.brokers };
}

/** What can happen to Kafka behind a door. It lasts until the door is led to its broker again. */
export const away = (door: Door): Promise<void> => door.shut();
export const broken = (door: Door): void => {
  door.fault = () => "break";
};
export const silent = (door: Door): void => {
  door.fault = () => new Promise(() => {});
};
export const refusing = (door: Door): void => {
  door.fault = failProduce("session-activities", 29);
};
/** The frames are Kafka's, and what is in them is not. */
export const garbling = (door: Door): void => {
  door.fault = ({ body }) => garble(body);
};
/** The same for what is published, and nothing else. */
export const garblingReports = (door: Door): void => {
  door.fault = ({ api: key, body }) => (key === api.produce ? garble(body) : undefined);
};
export function garble(body: Buffer): void {
  for (let at = 0; at < body.length; at += 1) body[at] = (at * 37 + 11) % 256;
}
/** Something else speaks there, and breaks off. */
export async function occupied(door: Door): Promise<void> {
  await door.shut();
  const impostor = createServer((socket) => void socket.on("error", () => {}).end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await new Promise<void>((resolve) => impostor.listen(Number(door.address.split(":")[1]), "127.0.0.1", resolve));
  const { open } = door;
  door.open = async (broker) => {
    door.open = open;
    await new Promise((resolve) => impostor.close(resolve));
    await door.open(broker);
  };
}

export type ReadingComponent = "consumer" | "history worker";

/** Who reads. */
export interface Reader {
  stats(): unknown;
  consumed(): ConsumerStats | undefined;
}

export function startReading(
  component: ReadingComponent,
  log: ObservedLog,
  { brokers, ...more }: { readonly brokers: string; readonly deadLetterTopic?: string },
): Reader {
  const properties = { "reconnect.backoff.max.ms": 200, "socket.timeout.ms": 1_500 };
  const stuckAfterMs = 500;
  if (component === "consumer") {
    const topic = "session-activities";
    const retry = { maxBackoffMs: 200 };
    const consumer = startConsumer({ brokers, topic, handle() {}, log, properties, stuckAfterMs, retry, ...more });
    return { stats: consumer.stats, consumed: consumer.stats };
  }
  schemas += 1;
  const worker = startWorker({
    database: embedded,
    history: { schema: `failures_${schemas}` },
    kafka: { brokers, groupId: "g", properties, ...more },
    stuckAfterMs,
    log,
  });
  return { stats: worker.stats, consumed: () => worker.stats().consumer };
}
