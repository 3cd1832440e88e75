export { type EmbeddedKafka, type EmbeddedKafkaOptions, startEmbeddedKafka } from "./embedded.js";
