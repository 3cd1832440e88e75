export type { AsideReason, SpoolStats, UnrecordableReason } from "../publishing/spool-stats.js";
export { createDurablePublisher, type DurablePublisher } from "./durable-publisher.js";
export type { DurablePublisherOptions, SpoolOptions } from "./spool-options.js";
