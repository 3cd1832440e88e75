export type { AsideReason } from "./delivery.js";
export {
  createDurablePublisher,
  type DurablePublisher,
  type SpoolStats,
  type UnrecordableReason,
} from "./durable-publisher.js";
export type { DurablePublisherOptions, SpoolOptions } from "./spool-options.js";
