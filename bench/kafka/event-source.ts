import { pathToFileURL } from "node:url";
import { fromBinary } from "@bufbuild/protobuf";
import { KafkaJS } from "@confluentinc/kafka-javascript";
import { SessionActivityEventSchema } from "connect-session-activity";
import { createSessionActivityConsumer } from "connect-session-activity/kafka";
import { Kafka, logLevel } from "kafkajs";
import type { SourceConfig, SourceKind } from "./source-config.js";

/** One reading of the topic from its beginning. */
export interface Reading {
  readonly groupId: string;
  /** Called with how many events have been decoded. */
  readonly took: (events: number) => void;
}

/** Ends a reading. */
type Close = () => Promise<unknown>;

const sources: Readonly<Record<SourceKind, (config: SourceConfig, reading: Reading) => Close | Promise<Close>>> = {
  "this package, one by one": (config, { groupId, took }) => ours(config, groupId, { handle: () => took(1) }),
  "this package, batches": (config, { groupId, took }) =>
    ours(config, groupId, { handleBatch: ({ length }) => took(length) }),
  "KafkaJS-style API, eachMessage": (config, reading) => kafkaJsStyle(config, reading, "eachMessage"),
  "KafkaJS-style API, eachBatch": (config, reading) => kafkaJsStyle(config, reading, "eachBatch"),
  "kafkajs, eachMessage": (config, reading) => kafkaJs(config, reading, "eachMessage"),
  "kafkajs, eachBatch": (config, reading) => kafkaJs(config, reading, "eachBatch"),
  "@platformatic/kafka": platformatic,
};

/** Reads a topic from its beginning, in a group that is new. */
export async function read(config: SourceConfig, reading: Reading): Promise<Close> {
  return sources[config.kind](config, reading);
}

function ours(
  { brokers, topic }: SourceConfig,
  groupId: string,
  handler: Pick<Parameters<typeof createSessionActivityConsumer>[0], "handle" | "handleBatch">,
): Close {
  const onInvalid = (): void => {
    throw new Error("a record holds no event");
  };
  const consumer = createSessionActivityConsumer({ brokers, topic, groupId, env: false, onInvalid, ...handler });
  return () => consumer.close();
}

type KafkaJsWay = "eachMessage" | "eachBatch";

/** The part of the KafkaJS API that both clients have in common. */
interface KafkaJsConsumer {
  connect(): Promise<void>;
  run(handlers: {
    eachMessage?: (payload: { message: KafkaJsMessage }) => Promise<void>;
    eachBatch?: (payload: { batch: { messages: KafkaJsMessage[] } }) => Promise<void>;
  }): Promise<void>;
  disconnect(): Promise<void>;
}

interface KafkaJsMessage {
  readonly value: Buffer | null;
}

async function kafkaJsStyle({ brokers, topic }: SourceConfig, reading: Reading, way: KafkaJsWay): Promise<Close> {
  const kafka = new KafkaJS.Kafka({ kafkaJS: { brokers: brokers.split(","), logLevel: KafkaJS.logLevel.NOTHING } });
  const consumer = kafka.consumer({ kafkaJS: { groupId: reading.groupId, fromBeginning: true } });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic] });
  return run(consumer, reading, way);
}

async function kafkaJs({ brokers, topic }: SourceConfig, reading: Reading, way: KafkaJsWay): Promise<Close> {
  const kafka = new Kafka({ brokers: brokers.split(","), logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: reading.groupId });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  return run(consumer, reading, way);
}

async function run(consumer: KafkaJsConsumer, { took }: Reading, way: KafkaJsWay): Promise<Close> {
  if (way === "eachMessage") {
    await consumer.run({
      async eachMessage({ message }) {
        decode(message.value);
        took(1);
      },
    });
  } else {
    await consumer.run({
      async eachBatch({ batch }) {
        for (const { value } of batch.messages) decode(value);
        took(batch.messages.length);
      },
    });
  }
  return () => consumer.disconnect();
}

async function platformatic(config: SourceConfig, { groupId, took }: Reading): Promise<Close> {
  const { consume } = await import(pathToFileURL(`${config.rivals}/platformatic-consumer.js`).href);
  return consume(config.brokers, config.topic, groupId, (value: Buffer) => {
    decode(value);
    took(1);
  });
}

function decode(value: Uint8Array | null): void {
  if (value === null) throw new Error("a record has no value");
  fromBinary(SessionActivityEventSchema, value);
}
