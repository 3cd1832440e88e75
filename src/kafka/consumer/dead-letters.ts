import { withFailure } from "../../base/failure.js";
import type { TroubleLog } from "../../base/log.js";
import type { KafkaClient, NativeError } from "../client/kafka-client.js";
import { kafkaFailure } from "../client/kafka-failure.js";
import type { KafkaTrouble } from "../client/kafka-troubles.js";
import { type KafkaRecord, ProducerLink } from "../client/producer-link.js";
import type { SessionActivityRecord } from "./consumed-record.js";
import type { ConsumerSettings } from "./consumer-options.js";
import { deadLetterProperties } from "./consumer-properties.js";
import type { InvalidReason } from "./consumer-stats.js";
import { formsOf } from "./dead-letter.js";

/** How long the producer may take to stop. */
const stopTimeoutMs = 1_000;

/** The topic for records that cannot be handled. */
export interface DeadLetters {
  /**
   * Resolves when the brokers have the record, if need be without what is too large for them. The first one starts the
   * producer. Rejects if they do not take it; the error says what that calls for.
   */
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

  function deliver(record: KafkaRecord): Promise<NativeError | null> {
    link ??= start();
    const to = link;
    return new Promise((resolve) => {
      send(to, record, resolve);
    });
  }

  return {
    async add(record, reason) {
      let refusal: Error = new Error("there is no form of it");
      for (const form of formsOf(record, reason)) {
        // A handler that was left behind may fail after the end: a producer of its own would then keep the process alive.
        if (closed) throw new Error("the consumer is closed");
        const error = await deliver(form);
        if (error === null) return;
        const code = client.codeName(error.code);
        const failure = kafkaFailure(code);
        refusal = withFailure(Object.assign(new Error(error.message), { code }), failure);
        if (failure !== "poison") break;
      }
      throw refusal;
    },
    async close() {
      closed = true;
      await link?.stop(stopTimeoutMs);
    },
  };
}
