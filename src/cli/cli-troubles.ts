/** Every kind of trouble that src/cli/ reports. At most one line a minute is logged of each. */
export const cliTroubles = [
  "database_down",
  "database_refuses",
  "database_stuck",
  "database_back",
  "history_not_compacted",
  "record_left_out",
  "event_set_aside",
] as const;

/** A kind of trouble of src/cli/. */
export type CliTrouble = (typeof cliTroubles)[number];
