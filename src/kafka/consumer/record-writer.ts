import { withFailure } from "../../base/failure.js";
import type { TroubleLog } from "../../base/log.js";
import type { KafkaClient, NativeError } from "../client/kafka-client.js";
import { kafkaFailure } from "../client/kafka-failure.js";
import type { KafkaTrouble } from "../client/kafka-troubles.js";
import { type KafkaRecord, ProducerLink } from "../client/producer-link.js";
import type { ConsumerSettings } from "./consumer-options.js";
import { writerProperties } from "./consumer-properties.js";

/** How long the producer may take to stop. */
const stopTimeoutMs = 1_000;

/** Writes records, and says of each whether the brokers have it. */
export interface RecordWriter {
  /**
   * Resolves when the brokers have the record. The first one starts the producer. Rejects if they do not take it; the error
   * says what that calls for, and its `code` is librdkafka's name of it.
   */
  write(topic: string, record: KafkaRecord): Promise<void>;
  /** Stops. Records that are under way may have arrived or not. Always resolves. */
  close(): Promise<void>;
}

/** Told whether the brokers have a record. */
interface Note {
  readonly topic: string;
  answer(error: NativeError | null): void;
}

/** Creates a writer. No producer exists, and nothing connects, before there is a record to write. */
export function createRecordWriter(
  client: KafkaClient,
  settings: Pick<ConsumerSettings, "brokers" | "oauthToken" | "properties">,
  log: TroubleLog<KafkaTrouble>,
): RecordWriter {
  let link: ProducerLink<Note> | undefined;
  let closed = false;

  function start(): ProducerLink<Note> {
    const producer = client.createProducer(writerProperties(settings));
    const own: ProducerLink<Note> = new ProducerLink(
      producer,
      log,
      {
        failed() {
          // The next attempt begins anew.
          link = undefined;
        },
        reported: (error, _, note) => note?.answer(error),
        // Without idempotence, a missing offset means nothing.
        presumed: (_, note) => note?.answer(null),
        resend: (record, note) => send(own, record, note),
      },
      settings.oauthToken,
    );
    return own;
  }

  function send(to: ProducerLink<Note>, record: KafkaRecord, note: Note | undefined): void {
    const error = note && to.send(note.topic, record, note);
    if (error !== undefined) note?.answer(error);
  }

  return {
    async write(topic, record) {
      // A handler that was left behind may fail after the end: a producer of its own would then keep the process alive.
      if (closed) throw new Error("the consumer is closed");
      link ??= start();
      const to = link;
      const error = await new Promise<NativeError | null>((answer) => {
        send(to, record, { topic, answer });
      });
      if (error === null) return;
      const code = client.codeName(error.code);
      throw withFailure(Object.assign(new Error(error.message), { code }), kafkaFailure(code));
    },
    async close() {
      closed = true;
      await link?.stop(stopTimeoutMs);
    },
  };
}
