export type { NotRecordedReason } from "./activity.js";
export {
  type OpenSignalDatabase,
  openSignalDatabase,
  type SignalDatabase,
  type SignalDatabaseOptions,
} from "./database.js";
export type { SignalHistoryOptions } from "./options.js";
export type { SignalChange, SignalChangesQuery, SignalQueries } from "./queries.js";
export {
  createSignalHistory,
  type ForgetRequest,
  type LateReason,
  type SignalHistory,
  type SignalHistoryStats,
} from "./signal-history.js";
export { normalizeSignal, type SessionSignals, sessionContextSignals } from "./signals.js";
