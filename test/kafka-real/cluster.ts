import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePorts } from "../support/free-ports.js";
import { type Admin, adminOf } from "./admin.js";
import { classArchive, kafkaClassPath } from "./jars.js";
import { type KafkaNode, kafkaNode } from "./node.js";

/** A cluster of Apache Kafka, in KRaft mode, on loopback ports that were free. */
export interface Cluster {
  /** The plain listeners. */
  readonly brokers: string;
  readonly nodes: readonly KafkaNode[];
  readonly admin: Admin;
  /** Ports of the further listeners, by their names. */
  readonly ports: Readonly<Record<string, number>>;
  /** Resolves when all nodes run and know each other. */
  ready(): Promise<void>;
  /** Runs one of Kafka's own command line tools, by its class, and answers with its output. */
  tool(mainClass: string, args: readonly string[], input?: string): Promise<string>;
  /** Ends all nodes and deletes what they stored. */
  close(): Promise<void>;
}

/** What a cluster may be started with. */
export interface ClusterOptions {
  /** Lines for each node's `server.properties`. They come last. */
  readonly properties?: Readonly<Record<string, string | number | boolean>>;
  /** Further listeners by their names, each with its security protocol. On one node only. */
  readonly listeners?: Readonly<Record<string, string>>;
  /** Arguments for the formatting of the log directory, such as `--add-scram`. */
  readonly format?: readonly string[];
  readonly jvmOptions?: readonly string[];
}

const run = promisify(execFile);
const small = ["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];

/** Starts a cluster. Where it does not come up, the error shows the logs. */
export async function startCluster(size: 1 | 3, options: ClusterOptions = {}): Promise<Cluster> {
  const archive = classArchive();
  if (!existsSync(archive)) await makeArchive(archive);
  return launch(size, { ...options, jvmOptions: [`-XX:SharedArchiveFile=${archive}`, ...(options.jvmOptions ?? [])] });
}

/** Has a broker write down its loaded classes as it ends: those that come later start with two thirds of the work. */
async function makeArchive(archive: string): Promise<void> {
  const fresh = `${archive}-${process.pid}`;
  const cluster = await launch(1, { jvmOptions: [`-XX:ArchiveClassesAtExit=${fresh}`] });
  await cluster.nodes[0]?.stop();
  // Where this Java writes none, brokers start without.
  if (existsSync(fresh)) renameSync(fresh, archive);
  await cluster.close();
}

async function launch(size: 1 | 3, options: ClusterOptions): Promise<Cluster> {
  const classPath = kafkaClassPath();
  const folder = mkdtempSync(join(tmpdir(), "kafka-real-"));
  const names = Object.keys(options.listeners ?? {});
  const free = await freePorts(2 * size + names.length);
  const ports = Object.fromEntries(names.map((name, index) => [name, free[2 * size + index]!]));
  const logging = join(folder, "log4j2.properties");
  writeFileSync(logging, loggingProperties);
  const clusterId = newClusterId();
  // A process that is killed leaves its unpacked native libraries behind: these go with the folder.
  const temporary = `-Djava.io.tmpdir=${folder}`;
  const jvmOptions = [...small, temporary, `-Dlog4j2.configurationFile=${logging}`, ...(options.jvmOptions ?? [])];

  const nodes = Array.from({ length: size }, (_, index) => {
    const own = join(folder, `${index + 1}`);
    mkdirSync(own);
    writeFileSync(join(own, "server.properties"), propertiesOf(index, size, free, own, ports, options));
    return kafkaNode({ id: index + 1, port: free[2 * index]!, folder: own, classPath, jvmOptions });
  });
  const brokers = nodes.map(({ port }) => `127.0.0.1:${port}`).join(",");
  const admin = adminOf(brokers);

  const cluster: Cluster = {
    brokers,
    nodes,
    admin,
    ports,
    async ready() {
      await admin.untilBrokers(size).catch((cause: unknown) => {
        throw new Error(`${String(cause)}\n${nodes.map((node) => node.log()).join("\n----\n")}`);
      });
    },
    async tool(mainClass, args, input) {
      const child = run("java", ["-Xmx128m", ...small.slice(1), temporary, "-cp", classPath, mainClass, ...args], {
        maxBuffer: 1 << 26,
        timeout: 60_000,
      });
      child.child.stdin?.end(input ?? "");
      return (await child).stdout;
    },
    async close() {
      await admin.close();
      await Promise.all(nodes.map((node) => node.kill()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    const format = ["format", "-t", clusterId, ...(options.format ?? []), "-c"];
    const formatNode = (_: KafkaNode, index: number): Promise<string> =>
      cluster.tool("kafka.tools.StorageTool", [...format, join(folder, `${index + 1}`, "server.properties")]);
    await allOf(nodes.map(formatNode));
    await allOf(nodes.map((node) => node.start()));
    await cluster.ready();
    await admin.untilProducers();
  } catch (error) {
    await cluster.close();
    throw error;
  }
  return cluster;
}

/** As Promise.all, but nothing goes on any more where it fails. */
async function allOf(steps: readonly Promise<unknown>[]): Promise<void> {
  await Promise.allSettled(steps);
  await Promise.all(steps);
}

/** A random UUID in base64. With a first bit of 0 it cannot begin with a hyphen, which Kafka's tool takes for an option. */
function newClusterId(): string {
  const bytes = randomBytes(16);
  bytes[0]! &= 0x7f;
  return bytes.toString("base64url");
}

function propertiesOf(
  index: number,
  size: number,
  free: readonly number[],
  folder: string,
  ports: Readonly<Record<string, number>>,
  { properties, listeners = {} }: ClusterOptions,
): string {
  const voters = Array.from({ length: size }, (_, other) => `${other + 1}@127.0.0.1:${free[2 * other + 1]}`);
  const all: [string, number, string][] = [
    ["PLAIN", free[2 * index]!, "PLAINTEXT"],
    ["CONTROLLER", free[2 * index + 1]!, "PLAINTEXT"],
    ...Object.entries(listeners).map(([name, protocol]): [string, number, string] => [name, ports[name]!, protocol]),
  ];
  const copies = Math.min(size, 3);
  const lines = {
    "process.roles": "broker,controller",
    "node.id": index + 1,
    "controller.quorum.voters": voters.join(","),
    "controller.listener.names": "CONTROLLER",
    listeners: all.map(([name, port]) => `${name}://127.0.0.1:${port}`).join(","),
    "listener.security.protocol.map": all.map(([name, , protocol]) => `${name}:${protocol}`).join(","),
    "inter.broker.listener.name": "PLAIN",
    "log.dirs": join(folder, "data"),
    "default.replication.factor": copies,
    "min.insync.replicas": Math.max(1, copies - 1),
    "offsets.topic.replication.factor": copies,
    "offsets.topic.num.partitions": 3,
    "transaction.state.log.replication.factor": copies,
    "transaction.state.log.min.isr": Math.max(1, copies - 1),
    "transaction.state.log.num.partitions": 3,
    "share.coordinator.state.topic.replication.factor": copies,
    "share.coordinator.state.topic.min.isr": Math.max(1, copies - 1),
    "group.initial.rebalance.delay.ms": 0,
    "group.consumer.heartbeat.interval.ms": 1_000,
    "group.consumer.min.heartbeat.interval.ms": 1_000,
    "auto.create.topics.enable": false,
    "broker.session.timeout.ms": 6_000,
    "log.cleaner.dedupe.buffer.size": 16_777_216,
    "controlled.shutdown.max.retries": 1,
    ...properties,
  };
  return Object.entries(lines)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}

const loggingProperties = `
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1} %m%n%throwable{3}
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
`;
