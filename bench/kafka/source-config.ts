export type SourceKind =
  | "this package, one by one"
  | "this package, batches"
  | "KafkaJS-style API, eachMessage"
  | "KafkaJS-style API, eachBatch"
  | "kafkajs, eachMessage"
  | "kafkajs, eachBatch"
  | "@platformatic/kafka";

/** How events are read. */
export interface SourceConfig {
  readonly kind: SourceKind;
  readonly brokers: string;
  readonly topic: string;
  /** The folder of the clients that are not in this package. */
  readonly rivals: string;
}
