// What a user's test does with Kafka, in any runner: describe, expect and test are global there.
import { createKafkaPublisher, startEmbeddedKafka, startSessionTracking } from "connect-session-activity/kafka";

const isRefused = process.env["KAFKA_IS_REFUSED"] === "true";

test("a publisher and an embedded Kafka work, or say why not", async () => {
  if (isRefused) {
    const code = "ERR_KAFKA_CLIENT_WORKER_THREAD";
    await expect(startEmbeddedKafka()).rejects.toMatchObject({ code });
    expect(() => createKafkaPublisher({ brokers: "localhost:9092" })).toThrow(/worker thread/);
    return;
  }
  const kafka = await startEmbeddedKafka();
  const publisher = createKafkaPublisher({ brokers: kafka.brokers });
  expect(await publisher.close()).toMatchObject({ offered: 0 });
  await kafka.close();
});

test("session tracking starts", async () => {
  const tracking = startSessionTracking({
    service: "s",
    kafka: { brokers: "localhost:9092", closeTimeoutMs: 0 },
    env: false,
    log: false,
  });
  const problems = isRefused ? ["not_watched", "no_client"] : ["not_watched"];
  expect(tracking.ready().problems).toEqual(problems);
  await tracking.shutDown();
});
