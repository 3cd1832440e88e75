import { createRequire } from "node:module";
import { isMainThread } from "node:worker_threads";
import { errorMessage, isError } from "../../base/errors.js";
import { packageManagerOf } from "../../base/package-manager.js";
import { loadError, workerThreadError } from "./client-error.js";

/**
 * The client is CommonJS, whose named exports an `import` does not see. Bundlers and file tracing know a `require` of a literal
 * name. In CommonJS that esbuild makes of this, there is no `import.meta.url`.
 */
const require = createRequire(import.meta.url ?? __filename);

/** A librdkafka configuration: its properties by name, and callbacks under the names that the client knows. */
export type NativeProperties = Readonly<Record<string, unknown>>;

/** What the client throws and reports. On `event.error` the code is always -1: there only the text tells anything. */
export interface NativeError {
  readonly message: string;
  readonly code: number;
  readonly isFatal?: boolean | undefined;
  readonly isRetriable?: boolean | undefined;
}

/** What was thrown, as an error of the client. If it is something else, the code is that of an unknown error. */
export function asNativeError(error: unknown): NativeError {
  const known = isError(error) && "code" in error && typeof error.code === "number";
  return { message: errorMessage(error), code: known ? Number(error.code) : -1 };
}

/** One partition of a topic. */
export interface NativePartition {
  readonly topic: string;
  readonly partition: number;
}

/** A place in a partition. */
export interface NativeOffset extends NativePartition {
  readonly offset: number;
  readonly leaderEpoch?: number | undefined;
}

/** A partition, and where to begin in it if that is not what the group has committed. */
export interface NativePlace extends NativePartition {
  readonly offset?: number | undefined;
}

/** A record header: an object of exactly one key. A value that is neither string nor Buffer makes `produce` throw *and* send. */
export type NativeHeader = Record<string, string | Uint8Array>;

/** A consumed record. */
export interface NativeMessage extends NativeOffset {
  readonly value: Uint8Array | null;
  readonly size: number;
  readonly key?: Uint8Array | string | null | undefined;
  readonly timestamp?: number | undefined;
  readonly headers?: readonly NativeHeader[] | undefined;
}

/** What became of one produced record. Where no broker has said where it stands, the offset is -1001. */
export interface NativeReport extends NativeOffset {
  /** Length of the value. */
  readonly size: number;
  readonly key?: Uint8Array | null | undefined;
  readonly opaque?: unknown;
}

/** A log line of librdkafka. The severity is syslog's: 3 error, 4 warning, 5 notice, 6 info, 7 debug. */
export interface NativeLogLine {
  readonly severity: number;
  readonly fac: string;
  readonly message: string;
}

/** The brokers that a cluster is made of. */
export interface NativeMetadata {
  readonly brokers: readonly { readonly id: number; readonly host: string; readonly port: number }[];
  readonly topics?: readonly { readonly name: string; readonly partitions: readonly NativePartitionState[] }[];
}

/** How a partition is kept: the ids of its brokers. Without a leader, that is -1. */
export interface NativePartitionState {
  readonly id: number;
  readonly leader: number;
  readonly replicas: readonly number[];
  readonly isrs: readonly number[];
}

/** What the brokers say of a topic to this client. */
export interface NativeTopicDescription {
  readonly name: string;
  readonly error?: NativeError | undefined;
  /** By Kafka's numbers of operations: 3 is READ, 4 is WRITE. Absent if the brokers do not tell. */
  readonly authorizedOperations?: readonly number[] | undefined;
}

/** The part of the client's administration that is used. */
interface NativeAdmin {
  describeTopics(
    topics: readonly string[],
    options: { readonly timeout: number; readonly includeAuthorizedOperations: boolean },
    done: Callback<NativeTopicDescription[]>,
  ): unknown;
}

/** Where a partition begins and ends. */
export interface NativeWatermarks {
  readonly lowOffset: number;
  /** The offset that the next record will have. */
  readonly highOffset: number;
}

type Callback<T = unknown> = (error: NativeError | null | undefined, result: T) => void;

/** What producer and consumer share. A listener that throws ends the process. */
export interface NativeClient {
  on(event: "event.log", listener: (line: NativeLogLine) => void): unknown;
  on(event: "event.error", listener: (error: NativeError) => void): unknown;
  connect(options: { readonly timeout?: number }, done: Callback<NativeMetadata>): unknown;
  getMetadata: (
    options: { readonly topic?: string; readonly timeout?: number },
    done: Callback<NativeMetadata>,
  ) => unknown;
  isConnected(): boolean;
  /** The native part itself, for what only that can do. */
  getClient(): NativePart;
}

/** The native part, as far as this package uses it. */
export interface NativePart {
  /** Only after `connect` has called back. The expiry is a moment in ms; extensions are names and values in turn. Throws. */
  setOAuthBearerToken(value: string, expiresAtMs: number, principal: string, extensions: readonly string[]): unknown;
}

/** The native producer, as far as this package uses it. */
export interface NativeProducer extends NativeClient {
  on(event: "event.log", listener: (line: NativeLogLine) => void): unknown;
  on(event: "event.error", listener: (error: NativeError) => void): unknown;
  on(event: "delivery-report", listener: (error: NativeError | null, report: NativeReport) => void): unknown;
  /** Only after `connect` has called back: before it, the process segfaults. */
  setPollInBackground(enable: boolean): unknown;
  /** Copies the value. Throws a `NativeError`, for example if the queue is full. */
  produce(
    topic: string,
    partition: number | null,
    value: Uint8Array | null,
    key?: string | Uint8Array | null,
    timestamp?: number | null,
    opaque?: unknown,
    headers?: readonly NativeHeader[],
  ): unknown;
  flush(timeoutMs: number, done: Callback): unknown;
  /** Flushes for that long, then stops. Reports that have not arrived by then never come. Call it once. */
  disconnect(flushMs: number, done?: Callback): unknown;
}

/** The native consumer, as far as this package uses it. */
export interface NativeConsumer extends NativeClient {
  on(event: "event.log", listener: (line: NativeLogLine) => void): unknown;
  on(event: "event.error", listener: (error: NativeError) => void): unknown;
  on(event: "rebalance", listener: (change: NativeError | undefined, assignment: NativePartition[]) => void): unknown;
  /** With `enable.partition.eof`, emitted by `consume` before it calls back. */
  on(event: "partition.eof", listener: (end: NativeOffset) => void): unknown;
  on(event: "rebalance.error", listener: (error: Error) => void): unknown;
  on(event: "offset.commit", listener: (error: NativeError | null, offsets: NativeOffset[]) => void): unknown;
  removeListener(event: "partition.eof", listener: (end: NativeOffset) => void): unknown;
  /** With 0, `consume` takes what is there and parks no thread. */
  setDefaultConsumeTimeout(timeoutMs: number): void;
  /** Whether `consume` calls back as soon as there is something, and does not wait for as many records as it may take. */
  setDefaultIsTimeoutOnlyForFirstMessage(isOnly: boolean): void;
  subscribe(topics: readonly string[]): unknown;
  unsubscribe(): unknown;
  consume(count: number, done: Callback<NativeMessage[]>): void;
  /** Only after `subscribe`. */
  offsetsStore(offsets: readonly NativeOffset[]): unknown;
  commit(offsets?: readonly NativeOffset[]): unknown;
  commitCb(offsets: readonly NativeOffset[], done: Callback<NativeOffset[]>): unknown;
  committed(partitions: readonly NativePartition[] | null, timeoutMs: number, done: Callback<NativeOffset[]>): unknown;
  queryWatermarkOffsets(topic: string, partition: number, timeoutMs: number, done: Callback<NativeWatermarks>): unknown;
  /** Asks for the first record that is as late as a moment, given as the `offset`. Answers with -1 if there is none. */
  offsetsForTimes(times: readonly NativeOffset[], timeoutMs: number, done: Callback<NativeOffset[]>): unknown;
  /** Of an assigned partition, as the last answer of a broker had them. Negative if there was none. Throws. */
  getWatermarkOffsets(topic: string, partition: number): NativeWatermarks;
  position(partitions?: readonly NativePartition[]): NativeOffset[];
  seek(offset: NativeOffset, timeoutMs: number | null, done: Callback): unknown;
  pause(partitions: readonly NativePartition[]): unknown;
  resume(partitions: readonly NativePartition[]): unknown;
  assign(partitions: readonly NativePlace[]): unknown;
  unassign(): unknown;
  incrementalAssign(partitions: readonly NativePlace[]): unknown;
  incrementalUnassign(partitions: readonly NativePartition[]): unknown;
  assignments(): NativePartition[];
  rebalanceProtocol(): string;
  disconnect(done?: Callback): unknown;
}

/** The loaded client. */
export interface KafkaClient {
  /** Throws an `Error` for a property that librdkafka does not know or a value that it refuses. */
  createProducer(properties: NativeProperties): NativeProducer;
  /** Throws likewise. The second argument holds topic properties, such as `auto.offset.reset`. */
  createConsumer(properties: NativeProperties, topicProperties?: NativeProperties): NativeConsumer;
  /** Asks the brokers what this client may do with topics, over its own connections. Rejects with a `NativeError`. */
  describeTopics(
    client: NativeConsumer,
    topics: readonly string[],
    timeoutMs: number,
  ): Promise<NativeTopicDescription[]>;
  /** The version of librdkafka, and what it was built with, such as `ssl`. */
  readonly version: string;
  readonly features: readonly string[];
  /** The name in librdkafka's table, for example `ERR__MSG_TIMED_OUT` for -192, or undefined. */
  codeName(code: number): string | undefined;
}

/** The part of the client's module that is used. */
interface ClientModule {
  readonly Producer: new (properties: NativeProperties) => NativeProducer;
  readonly KafkaConsumer: new (properties: NativeProperties, topicProperties: NativeProperties) => NativeConsumer;
  readonly AdminClient: { createFrom(client: NativeConsumer): NativeAdmin };
  readonly librdkafkaVersion: string;
  readonly features: readonly string[];
  readonly CODES: { readonly ERRORS: Readonly<Record<string, number>> };
}

/**
 * Loads the Kafka client, an optional peer: when it is first needed, and never on import.
 *
 * Throws a `KafkaClientError` that says what to do if it cannot be used.
 */
export function loadKafkaClient(): KafkaClient {
  if (!isMainThread) throw workerThreadError();
  const client = loadModule();
  let names: Map<number, string> | undefined;
  return {
    createProducer: (properties) => new client.Producer(properties),
    createConsumer: (properties, topicProperties = {}) => new client.KafkaConsumer(properties, topicProperties),
    describeTopics(consumer, topics, timeout) {
      return new Promise((resolve, reject) => {
        const options = { timeout, includeAuthorizedOperations: true };
        client.AdminClient.createFrom(consumer).describeTopics(topics, options, (error, descriptions) => {
          if (error) reject(error instanceof Error ? error : new Error(asNativeError(error).message));
          else resolve(descriptions);
        });
      });
    },
    version: client.librdkafkaVersion,
    features: client.features,
    codeName(code) {
      names ??= new Map(Object.entries(client.CODES.ERRORS).map(([name, value]) => [value, name]));
      return names.get(code);
    },
  };
}

function loadModule(): ClientModule {
  try {
    return require("@confluentinc/kafka-javascript");
  } catch (cause) {
    throw loadError(cause, packageManagerOf(here()));
  }
}

/** Where this file is: the same in CommonJS and in ESM. */
function here(): string {
  return import.meta.filename ?? __filename;
}
