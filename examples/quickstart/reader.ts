import { createSessionActivityConsumer } from "connect-session-activity/kafka";

const consumer = createSessionActivityConsumer({
  brokers: process.env["SESSION_TRACKING_KAFKA_BROKERS"] ?? "localhost:9092",
  groupId: "security-audit",
  handle(event) {
    // At least once: the same eventId may come again.
    console.log(event.eventId, event.service, event.action, event.status);
  },
  onInvalid(record, reason) {
    console.error(`${record.topic}/${record.partition}@${record.offset}: ${reason}`);
  },
});

for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void consumer.close());
