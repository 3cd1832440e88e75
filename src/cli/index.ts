export type { CompactorStats } from "./compactor.js";
export { type HistoryWorker, type HistoryWorkerStats, startHistoryWorker } from "./history-worker.js";
export type { HistoryWorkerOptions } from "./worker-options.js";
