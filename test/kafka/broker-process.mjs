// Hosts an embedded broker, so that a test can kill (SIGKILL) or freeze (SIGSTOP, SIGCONT) it, and prints its address.
// It uses the Kafka client itself, and so needs nothing built.
import kafka from "@confluentinc/kafka-javascript";

const host = new kafka.Producer({ "test.mock.num.brokers": 1, log_level: 3 });
host.connect({}, (error, metadata) => {
  if (error) throw error;
  const [broker] = metadata.brokers;
  process.stdout.write(`${broker.host}:${broker.port}\n`);
});
// The parent's end is the end of this process, even where the test was killed.
process.stdin.resume().on("end", () => process.exit(0));
