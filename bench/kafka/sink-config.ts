export type SinkKind =
  | "this package"
  | "this package, lz4"
  | "bare produce"
  | "KafkaJS-style API"
  | "kafkajs"
  | "kafkajs, batches"
  | "@platformatic/kafka"
  | "@platformatic/kafka, stream";

/** How a sink is made. */
export interface SinkConfig {
  readonly kind: SinkKind;
  readonly brokers: string;
  readonly topic: string;
  /** The folder of the clients that are not in this package. */
  readonly rivals: string;
}

/** How many events the clients that can send many at once are given together. Events come in multiples of it. */
export const batchSize = 100;
