export {
  type OpenSignalDatabase,
  openSignalDatabase,
  type SignalDatabase,
  type SignalDatabaseOptions,
} from "./database.js";
export type { SignalHistoryOptions } from "./history-options.js";
export type { SignalChange, SignalChangesQuery, SignalPageQuery, SignalQueries } from "./queries.js";
export type { NotRecordedReason } from "./recorded-activity.js";
export type { RecordToSetAside, RetriedRecords, SetAsideOutcome, SetAsideRecord } from "./set-aside-records.js";
export {
  createSignalHistory,
  type ForgetRequest,
  type LateReason,
  type SignalHistory,
  type SignalHistoryStats,
} from "./signal-history.js";
export { normalizeSignal, type SessionSignals, sessionContextSignals } from "./signals.js";
