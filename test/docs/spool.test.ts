import { expect, it, onTestFinished, vi } from "vitest";
import { startEmbeddedKafka } from "../../src/kafka/index.js";
import { createEventRecord } from "../../src/publishing/event-record.js";
import { CallMaker, temporaryFolder } from "../spool/spool-fixtures.js";

it("a durable publisher of one's own hands its events to Kafka", async () => {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  vi.stubEnv("SPOOL", temporaryFolder());
  vi.stubEnv("KAFKA", kafka.brokers);
  onTestFinished(() => void vi.unstubAllEnvs());
  const { publisher } = await import("../../examples/publisher/durable.js");
  const calls = new CallMaker();
  const event = calls.start();
  await publisher.begin(createEventRecord(event));
  publisher.publish(calls.end(event));
  await publisher.flush(30_000);
  expect(await publisher.close()).toEqual({ offered: 1, delivered: 1, dropped: {}, queued: 0 });
});
