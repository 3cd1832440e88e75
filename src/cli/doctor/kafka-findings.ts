import { errorCode, errorMessage } from "../../base/errors.js";
import { loadKafkaClient, type NativePartitionState } from "../../kafka/client/kafka-client.js";
import type { BystanderSettings } from "../../kafka/consumer/bystander.js";
import { watermarksOf } from "../../kafka/consumer/client-answers.js";
import { type ClusterView, viewCluster } from "../../kafka/consumer/cluster-view.js";
import { readRange } from "../../kafka/consumer/partition-range.js";
import { bad, type Finding, good, unchecked, warning } from "./finding.js";
import { findingOfListener } from "./listener-findings.js";
import { probeListener } from "./listener-probe.js";
import { findRuns } from "./run-findings.js";
import { commandFor, type KafkaTopics, skippedAfter } from "./skipped-checks.js";

/** Which topics on which brokers are looked at. */
export type KafkaUnderTest = BystanderSettings & KafkaTopics;

/** Looks at the native client. The second answer is whether it can be used. */
export function* findClient(): Generator<Finding, boolean, void> {
  try {
    const { version, features } = loadKafkaClient();
    yield good("Kafka client", `librdkafka ${version} on Node ${process.versions.node}`);
    if (!features.includes("ssl")) {
      const advice = "install libssl-dev, and run: session-activity install-kafka-client --from-source";
      yield warning("Kafka client", "it was built without TLS", advice);
    }
    return true;
  } catch (error) {
    yield bad("Kafka client", errorMessage(error), adviceForClient(errorCode(error)));
    return false;
  }
}

function adviceForClient(code: string | undefined): string {
  if (code === "ERR_KAFKA_CLIENT_MISSING") return "install it beside this package, as the message says";
  return "run: session-activity install-kafka-client";
}

/** Looks at Kafka from outside to inside: the addresses, the login, the brokers, the topic, and what this client may do. */
export async function* findKafka(kafka: KafkaUnderTest, ending: AbortSignal): AsyncGenerator<Finding, void, void> {
  const addresses = kafka.brokers.split(",");
  let isAnyGood = false;
  for (const address of addresses) {
    const finding = findingOfListener(address, await probeListener(address, kafka.properties));
    yield finding;
    isAnyGood ||= finding.kind !== "bad";
  }
  if (!isAnyGood) {
    yield* skippedAfter("Address", "it can be seen after the brokers answer", kafka);
    return;
  }
  let view: ClusterView;
  try {
    view = await viewCluster(kafka, ending);
  } catch (error) {
    yield bad("Kafka settings", errorMessage(error), "mend the librdkafka properties, or the files that they name");
    yield* skippedAfter("Address", "it can be seen after the settings are mended", kafka);
    return;
  }
  try {
    yield* findCluster(view, kafka, addresses, ending);
  } finally {
    await view.close();
  }
}

async function* findCluster(
  view: ClusterView,
  kafka: KafkaUnderTest,
  addresses: readonly string[],
  ending: AbortSignal,
): AsyncGenerator<Finding, void, void> {
  const { topic } = kafka;
  const metadata = await view.metadata(topic).catch(() => undefined);
  if (metadata === undefined) {
    const trouble = findingOfTroubles(view);
    yield trouble;
    yield* skippedAfter(
      trouble.subject === "Brokers" ? "Brokers" : "Login",
      "it can be seen after the brokers answer",
      kafka,
    );
    return;
  }
  const { brokers, topics = [] } = metadata;
  const names = brokers.map(({ host, port }) => `${host}:${port}`);
  yield good("Brokers", `${brokers.length}: ${names.join(", ")}`);
  for (const name of names.filter((one) => !addresses.includes(one))) yield* findAdvertised(name, kafka);
  const partitions = topics.find(({ name }) => name === topic)?.partitions ?? [];
  if (partitions.length === 0) {
    yield await findMissingTopic(view, kafka);
    yield* skippedAfter("Topic", "it can be seen after the topic is there", kafka);
    return;
  }
  yield good("Topic", `${topic} has ${partitions.length} partitions`);
  yield* findReplication(partitions, brokers.length, kafka);
  yield* findRights(view, kafka);
  yield await findRecords(
    view,
    kafka,
    partitions.map(({ id }) => id),
  );
  yield* findRuns(kafka, ending);
}

/** Why there is no answer, by what the client said meanwhile. */
function findingOfTroubles(view: ClusterView): Finding {
  const troubles = view.troubles();
  const about = (kind: string): string | undefined => troubles.find((trouble) => trouble.kind === kind)?.message;
  const login = about("kafka_login");
  if (login !== undefined) {
    return bad(
      "Login",
      `Kafka refused it: ${login}`,
      "check sasl.mechanism, the user's name and the password, or the token",
    );
  }
  const certificate = about("kafka_certificate");
  if (certificate !== undefined) {
    return bad(
      "TLS",
      "Kafka's certificate is not trusted",
      "name the authority that issued it: SESSION_TRACKING_KAFKA_TLS_CA_FILE",
    );
  }
  const own = about("kafka_client_certificate");
  if (own !== undefined) {
    return bad(
      "TLS",
      "Kafka did not accept this client's certificate",
      "check SESSION_TRACKING_KAFKA_TLS_CERT_FILE, and whom the brokers trust",
    );
  }
  return bad(
    "Brokers",
    "none of them answered within 5 s",
    "see the findings above; if they are good, check firewalls, and SESSION_TRACKING_KAFKA_TLS and _SASL_MECHANISM",
  );
}

/** A broker that the others name, where clients go on. */
async function* findAdvertised(address: string, { properties }: KafkaUnderTest): AsyncGenerator<Finding, void, void> {
  const listener = await probeListener(address, properties);
  if (listener.kind !== "unreachable") return;
  const advice = "mend advertised.listeners of that broker, or the way to it: clients go where the brokers send them";
  yield bad("Brokers", `${address}, which the brokers name, cannot be reached from here (${listener.code})`, advice);
}

async function findMissingTopic(view: ClusterView, { brokers, topic }: KafkaUnderTest): Promise<Finding> {
  const described = await view.describeTopic(topic).catch(() => undefined);
  if (/authorization/i.test(described?.error?.message ?? "")) {
    const advice = `grant READ and DESCRIBE: kafka-acls.sh --bootstrap-server ${brokers} --add --allow-principal User:NAME --operation READ --operation DESCRIBE --topic ${topic}`;
    return bad("Rights", `this client has no right to see the topic ${topic}`, advice);
  }
  const advice = `create it: kafka-topics.sh --bootstrap-server ${brokers} --create --topic ${topic} --partitions 6 --replication-factor 3; or mend its name`;
  return bad("Topic", `there is no topic ${topic}, or this client has no right to see it`, advice);
}

function* findReplication(
  partitions: readonly NativePartitionState[],
  brokers: number,
  kafka: KafkaUnderTest,
): Generator<Finding, void, void> {
  const replicas = Math.min(...partitions.map((partition) => partition.replicas.length));
  const leaderless = partitions.filter(({ leader }) => leader < 0).map(({ id }) => id);
  const behind = partitions
    .filter((partition) => partition.isrs.length < partition.replicas.length)
    .map(({ id }) => id);
  if (leaderless.length > 0) {
    yield bad(
      "Replication",
      `partitions ${leaderless.join(", ")} have no leader: nobody can read or write them`,
      "start the brokers that are down",
    );
  }
  if (behind.length > 0) {
    yield bad(
      "Replication",
      `partitions ${behind.join(", ")} have fewer replicas in sync than they should have`,
      "see which broker is down or slow: kafka-topics.sh --describe --under-replicated-partitions",
    );
  }
  if (replicas === 1) {
    const advice = `kafka-reassign-partitions.sh --bootstrap-server ${kafka.brokers} adds replicas; three of them are usual`;
    yield (brokers === 1 ? warning : bad)(
      "Replication",
      "partitions have one replica: what its broker loses is lost",
      advice,
    );
  } else if (behind.length === 0 && leaderless.length === 0) {
    yield good("Replication", `${replicas} replicas, all in sync`);
  }
  const says = "this client cannot see min.insync.replicas, retention.ms and message.timestamp.type";
  yield unchecked("Topic settings", says, commandFor("Topic settings", kafka));
}

/** Kafka's numbers of operations. */
const readOperation = 3;
const writeOperation = 4;

async function* findRights(view: ClusterView, kafka: KafkaUnderTest): AsyncGenerator<Finding, void, void> {
  const { brokers, topic } = kafka;
  const described = await view.describeTopic(topic).catch(() => undefined);
  const allowed = described?.authorizedOperations;
  if (allowed === undefined || allowed.length === 0) {
    yield unchecked("Rights", "the brokers do not tell what this client may do", commandFor("Rights", kafka));
    return;
  }
  const grant = (operation: string): string =>
    `kafka-acls.sh --bootstrap-server ${brokers} --add --allow-principal User:NAME --operation ${operation} --topic ${topic}`;
  if (!allowed.includes(readOperation)) {
    yield bad("Rights", `this client may not read ${topic}`, `grant it: ${grant("READ")}`);
  } else {
    yield good("Rights", `this client may read ${topic}`);
  }
  // A service writes, and who only reads need not.
  yield allowed.includes(writeOperation)
    ? good("Rights", `this client may write to ${topic}`)
    : warning(
        "Rights",
        `this client may not write to ${topic}: fine for a reader, and a service loses its events`,
        `for a service: ${grant("WRITE")}`,
      );
}

/** How far a record's time may be ahead of this clock. */
const clockSlackMs = 60_000;

/** Whether records can be read, and what their times say of the clocks. */
async function findRecords(
  { client }: ClusterView,
  kafka: KafkaUnderTest,
  partitions: readonly number[],
): Promise<Finding> {
  const { topic } = kafka;
  const advice = commandFor("Clock", kafka);
  try {
    const marks = [...(await watermarksOf(client, topic, partitions))].filter(
      ([, { lowOffset, highOffset }]) => lowOffset < highOffset,
    );
    const from = new Map(marks.map(([partition, { highOffset }]) => [partition, highOffset - 1]));
    const to = new Map(marks.map(([partition, { highOffset }]) => [partition, highOffset]));
    let newestMs = Number.NEGATIVE_INFINITY;
    for await (const messages of readRange(client, topic, { from, to, signal: AbortSignal.timeout(5_000) })) {
      for (const { timestamp = 0 } of messages) newestMs = Math.max(newestMs, timestamp);
    }
    const aheadMs = newestMs - Date.now();
    if (aheadMs > clockSlackMs) {
      return bad(
        "Clock",
        `the newest record is ${Math.round(aheadMs / 1_000)} s in the future: this clock is slow, or that of a service is fast`,
        advice,
      );
    }
    return unchecked(
      "Clock",
      newestMs === Number.NEGATIVE_INFINITY
        ? "there are no records whose time would tell"
        : "no record is in the future, which does not say that no clock is slow",
      advice,
    );
  } catch (error) {
    return bad("Records", `the newest records cannot be read: ${errorMessage(error)}`, "see the findings above");
  }
}
