import type { TroubleLog } from "../../base/log.js";
import type { KafkaClient, NativeError } from "../client/kafka-client.js";
import type { KafkaTrouble } from "../client/kafka-troubles.js";
import { type KafkaRecord, ProducerLink } from "../client/producer-link.js";
import type { SessionActivityRecord } from "./consumed-record.js";
import type { ConsumerSettings } from "./consumer-options.js";
import { deadLetterProperties } from "./consumer-properties.js";
import type { InvalidReason } from "./consumer-stats.js";

/** How long the producer may take to stop. */
const stopTimeoutMs = 1_000;

/** The topic for records that cannot be handled. */
export interface DeadLetters {
  /** Resolves when the brokers have the record, and rejects if they do not take it. The first one starts the producer. */
  add(record: SessionActivityRecord, reason: InvalidReason): Promise<void>;
  /** Stops. Records that are under way may have arrived or not. Always resolves. */
  close(): Promise<void>;
}

/** Told whether the brokers have a record. */
type Answer = (error: NativeError | null) => void;

/** Creates the dead letters. No producer exists, and nothing connects, before there is one to write. */
export function createDeadLetters(
  client: KafkaClient,
  settings: ConsumerSettings,
  topic: string,
  log: TroubleLog<KafkaTrouble>,
): DeadLetters {
  let link: ProducerLink<Answer> | undefined;
  let closed = false;

  function start(): ProducerLink<Answer> {
    const producer = client.createProducer(deadLetterProperties(settings));
    const own: ProducerLink<Answer> = new ProducerLink(
      producer,
      log,
      {
        failed() {
          // The next attempt begins anew.
          link = undefined;
        },
        reported: (error, _, answer) => answer?.(error),
        // Without idempotence, a missing offset means nothing.
        presumed: (_, answer) => answer?.(null),
        resend: (record, answer) => send(own, record, answer),
      },
      settings.oauthToken,
    );
    return own;
  }

  function send(to: ProducerLink<Answer>, record: KafkaRecord, answer: Answer | undefined): void {
    const error = to.send(topic, record, answer);
    if (error !== undefined) answer?.(error);
  }

  return {
    async add(record, reason) {
      // A handler that was left behind may fail after the end: a producer of its own would then keep the process alive.
      if (closed) throw new Error("the consumer is closed");
      link ??= start();
      const to = link;
      await new Promise<void>((resolve, reject) => {
        const answer: Answer = (error) => (error === null ? resolve() : reject(new Error(error.message)));
        send(to, recordOf(record, reason), answer);
      });
    },
    async close() {
      closed = true;
      await link?.stop(stopTimeoutMs);
    },
  };
}

function recordOf({ key, value, ...rest }: SessionActivityRecord, reason: InvalidReason): KafkaRecord {
  return {
    value: value === undefined ? null : bufferOf(value),
    // An empty key stays one.
    key: key?.length === 0 ? "" : key && bufferOf(key),
    headers: [
      ...rest.headers.map((header) => ({ [header.key]: Buffer.from(header.value) })),
      { "dead-letter-reason": reason },
      { "dead-letter-origin-topic": rest.topic },
      { "dead-letter-origin-partition": `${rest.partition}` },
      { "dead-letter-origin-offset": `${rest.offset}` },
    ],
    bytes: (value?.length ?? 0) + (key?.length ?? 0),
  };
}

/** The client takes Buffers only, and for a header of another kind it throws *and* sends. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
