import { createSignalHistory, openSignalDatabase } from "connect-session-activity/history";
import { createSessionActivityConsumer } from "connect-session-activity/kafka";

const database = openSignalDatabase({ url: process.env["DATABASE_URL"] }); // postgresql://…, or a folder
const history = createSignalHistory({ database });
await history.migrate();

const consumer = createSessionActivityConsumer({
  brokers: process.env["SESSION_TRACKING_KAFKA_BROKERS"] ?? "localhost:9092",
  groupId: "signal-history",
  async handleBatch(items) {
    const changes = await history.recordBatch(items.map(({ event }) => event));
    for (const { signal, previousValue, value, action } of changes) {
      console.log(`${action} changed ${signal} from ${previousValue ?? "nothing"} to ${value}`);
    }
  },
  onInvalid(record, reason) {
    console.error(`${record.topic}/${record.partition}@${record.offset}: ${reason}`);
  },
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    void consumer.close().then(() => database.close());
  });
}
