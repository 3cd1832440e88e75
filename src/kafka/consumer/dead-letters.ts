import { failureOf } from "../../base/failure.js";
import type { TroubleLog } from "../../base/log.js";
import type { KafkaClient } from "../client/kafka-client.js";
import type { KafkaTrouble } from "../client/kafka-troubles.js";
import type { SessionActivityRecord } from "./consumed-record.js";
import type { ConsumerSettings } from "./consumer-options.js";
import type { InvalidReason } from "./consumer-stats.js";
import { formsOf } from "./dead-letter.js";
import { createRecordWriter } from "./record-writer.js";

/** The topic for records that cannot be handled. */
export interface DeadLetters {
  /**
   * Resolves when the brokers have the record, if need be without what is too large for them. Rejects if they do not take it;
   * the error says what that calls for.
   */
  add(record: SessionActivityRecord, reason: InvalidReason): Promise<void>;
  /** Stops. Records that are under way may have arrived or not. Always resolves. */
  close(): Promise<void>;
}

/** Creates the dead letters. No producer exists, and nothing connects, before there is one to write. */
export function createDeadLetters(
  client: KafkaClient,
  settings: ConsumerSettings,
  topic: string,
  log: TroubleLog<KafkaTrouble>,
): DeadLetters {
  const writer = createRecordWriter(client, settings, log);
  return {
    async add(record, reason) {
      let refusal: unknown;
      for (const form of formsOf(record, reason)) {
        try {
          return await writer.write(topic, form);
        } catch (error) {
          if (failureOf(error) !== "poison") throw error;
          refusal = error;
        }
      }
      throw refusal;
    },
    close: () => writer.close(),
  };
}
