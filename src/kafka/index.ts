export { type EmbeddedKafka, type EmbeddedKafkaOptions, startEmbeddedKafka } from "./embedded.js";
export { createKafkaPublisher } from "./publisher.js";
export type { KafkaPublisherOptions } from "./publisher-options.js";
