/** Every kind of trouble that src/spool/ reports. At most one line a minute is logged of each. */
export const spoolTroubles = [
  "spool_full",
  "spool_failed",
  "spool_slow",
  "spool_damaged",
  "spool_set_aside",
  "spool_not_adopted",
  "run_not_closed",
] as const;

/** A kind of trouble of src/spool/. */
export type SpoolTrouble = (typeof spoolTroubles)[number];
