import { createSessionActivityConsumer } from "connect-session-activity/kafka";

const consumer = createSessionActivityConsumer({
  groupId: "start",
  handle: (event) => console.log(event.service, event.action, event.status),
  onInvalid: (record, reason) => console.error(record.offset, reason),
});

for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => void consumer.close());
