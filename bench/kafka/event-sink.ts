import { pathToFileURL } from "node:url";
import { toBinary } from "@bufbuild/protobuf";
import { KafkaJS } from "@confluentinc/kafka-javascript";
import { createEventRecord, type SessionActivityEvent, SessionActivityEventSchema } from "connect-session-activity";
import { createKafkaPublisher } from "connect-session-activity/kafka";
import { Kafka, logLevel } from "kafkajs";
import { connectBareProducer, publisherProperties } from "./bare-producer.js";
import { batchSize, type SinkConfig, type SinkKind } from "./sink-config.js";

/** Where events go: one of the clients that are compared. All encode the event, give it the same header, and ask for `acks=all`. */
export interface EventSink {
  /** Takes one event, as an interceptor has it: they come one by one, and nobody waits for them. */
  offer(event: SessionActivityEvent): void;
  /** How many have not been delivered yet. */
  queued(): number;
}

/** Takes encoded events. */
interface RecordSink {
  offer(value: Buffer): void;
  queued(): number;
}

const contentType = "application/protobuf";

const sinks: Readonly<Record<SinkKind, (config: SinkConfig) => EventSink | Promise<EventSink>>> = {
  "this package": (config) => ours(config, "none"),
  "this package, lz4": (config) => ours(config, "lz4"),
  "bare produce": bare,
  "KafkaJS-style API": kafkaJsStyle,
  kafkajs: (config) => kafkaJs(config, 1),
  "kafkajs, batches": (config) => kafkaJs(config, batchSize),
  "@platformatic/kafka": (config) => platformatic(config, "single"),
  "@platformatic/kafka, stream": (config) => platformatic(config, "stream"),
};

export async function connectSink(config: SinkConfig): Promise<EventSink> {
  return sinks[config.kind](config);
}

function ours({ brokers, topic }: SinkConfig, compression: "none" | "lz4"): EventSink {
  const publisher = createKafkaPublisher({ brokers, topic, compression, maxQueuedEvents: 1_000_000 });
  return {
    offer: (event) => publisher.publish(createEventRecord(event)),
    queued() {
      const { queued, dropped } = publisher.stats();
      if (Object.keys(dropped).length > 0) throw new Error(`events were dropped: ${JSON.stringify(dropped)}`);
      return queued;
    },
  };
}

async function bare({ brokers, topic }: SinkConfig): Promise<EventSink> {
  const producer = await connectBareProducer(brokers, topic, "none");
  return encoding({
    offer: (value) => producer.produce(value, [{ "content-type": contentType }]),
    queued: producer.open,
  });
}

async function kafkaJsStyle({ brokers, topic }: SinkConfig): Promise<EventSink> {
  const kafka = new KafkaJS.Kafka({ kafkaJS: { brokers: brokers.split(","), logLevel: KafkaJS.logLevel.NOTHING } });
  const { dr_cb: _, ...properties } = publisherProperties(brokers, "none");
  const producer = kafka.producer({ ...properties });
  await producer.connect();
  return sending(1, (messages) => producer.send({ topic, messages }));
}

async function kafkaJs({ brokers, topic }: SinkConfig, size: number): Promise<EventSink> {
  const producer = new Kafka({ brokers: brokers.split(","), logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  return sending(size, (messages) => producer.send({ topic, messages, acks: -1 }));
}

async function platformatic({ brokers, topic, rivals }: SinkConfig, way: "single" | "stream"): Promise<EventSink> {
  const { connectProducer } = await import(pathToFileURL(`${rivals}/platformatic-producer.js`).href);
  return encoding((await connectProducer(brokers, topic, way)) as RecordSink);
}

function encoding(sink: RecordSink): EventSink {
  return { offer: (event) => sink.offer(encode(event)), queued: sink.queued };
}

function encode(event: SessionActivityEvent): Buffer {
  const bytes = toBinary(SessionActivityEventSchema, event);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

interface Message {
  readonly value: Buffer;
  readonly headers: { readonly "content-type": string };
}

/** Sends by a promise each time; nobody waits for it but the count. A failure ends the process. */
function sending(size: number, send: (messages: Message[]) => Promise<unknown>): EventSink {
  let open = 0;
  let batch: Message[] = [];
  const flush = async (messages: Message[]): Promise<void> => {
    batch = [];
    await send(messages);
    open -= messages.length;
  };
  return encoding({
    offer(value) {
      open += 1;
      batch.push({ value, headers: { "content-type": contentType } });
      if (batch.length === size) void flush(batch);
    },
    queued: () => open,
  });
}
