// An embedded broker in a process of its own, so that its work is not counted as ours: `node broker-process.js TOPIC`.
import { startEmbeddedKafka } from "connect-session-activity/kafka";
import { answerParent } from "./peer-process.js";

const { brokers } = await startEmbeddedKafka({ topics: [process.argv[2] ?? ""] });
answerParent(() => brokers);
