import { createKafkaPublisher } from "connect-session-activity/kafka";
import { createDurablePublisher, type DurablePublisher } from "connect-session-activity/spool";

export const publisher: DurablePublisher = createDurablePublisher({
  directory: process.env["SPOOL"] ?? "spool",
  publisher: createKafkaPublisher({ brokers: process.env["KAFKA"] ?? "localhost:9092" }),
});
