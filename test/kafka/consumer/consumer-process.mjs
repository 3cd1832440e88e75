// Runs a consumer in a process of its own, so that a test can kill it: argv holds the compiled package's entry, the brokers,
// the topic, the group, and librdkafka properties as JSON. It prints the id of each event when it is handled. On a line on stdin it closes and exits; with the
// end of stdin, which is the end of the test, it just exits.
import { createInterface } from "node:readline";

const [entry, brokers, topic, groupId, properties] = process.argv.slice(2);
const { createSessionActivityConsumer } = await import(entry);
const consumer = createSessionActivityConsumer({
  brokers,
  topic,
  groupId,
  closeTimeoutMs: 1_000,
  properties: JSON.parse(properties),
  async handle(event) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    process.stdout.write(`${event.eventId}\n`);
  },
  onInvalid() {},
  log: false,
});
const input = createInterface(process.stdin);
input.on("close", () => process.exit(0));
input.once("line", () => {
  void consumer.close().then(() => {
    process.stdout.write("closed\n");
    process.exit(0);
  });
});
