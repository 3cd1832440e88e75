/** Every kind of trouble that src/history/ reports. At most one line a minute is logged of each. */
export const historyTroubles = [
  "event_late",
  "event_conflicting",
  "event_ahead",
  "late_full",
  "event_error",
  "event_invalid",
  "signal_ambiguous",
  "signals_left_out",
  "set_aside_full",
] as const;

/** A kind of trouble of src/history/. */
export type HistoryTrouble = (typeof historyTroubles)[number];
