/** Every kind of trouble that src/console/ reports. At most one line a minute is logged of each. */
export const consoleTroubles = ["request_refused", "history_failed", "audit_failed", "viewer_too_slow"] as const;

/** A kind of trouble of src/console/. */
export type ConsoleTrouble = (typeof consoleTroubles)[number];
