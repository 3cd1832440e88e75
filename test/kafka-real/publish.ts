// Publishes ten events in a process of its own, whose clock may be wrong, and prints its clock and what became of them:
// `node publish.js BROKERS TOPIC`.
import { create } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { SessionActivityEventSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { createEventRecord } from "../../src/index.js";
import { createKafkaPublisher } from "../../src/kafka/index.js";

const [, , brokers = "", topic = ""] = process.argv;
const lines: string[] = [];
const keep = (_: object, message: string): void => void lines.push(message);
const publisher = createKafkaPublisher({
  brokers,
  topic,
  log: { debug() {}, info() {}, warn: keep, error: keep },
});
for (let number = 1; number <= 10; number += 1) {
  const event = create(SessionActivityEventSchema, { eventId: `event-${number}`, startedAt: timestampNow() });
  publisher.publish(createEventRecord(event));
}
process.stdout.write(JSON.stringify({ clockMs: Date.now(), stats: await publisher.close(), lines }));
