// An embedded broker in a process of its own, so that its work is not counted as ours.
import { startEmbeddedKafka } from "connect-session-activity/kafka";

const kafka = await startEmbeddedKafka();
process.send?.(kafka.brokers);
process.on("disconnect", () => process.exit());
