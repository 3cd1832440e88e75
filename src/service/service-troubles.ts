/** Every kind of trouble that src/service/ reports. At most one line a minute is logged of each. */
export const serviceTroubles = [
  // Wiring.
  "no_publisher",
  "no_service",
  "not_watched",
  "watched_late",
  "not_wired",
  "registered_twice",
  "shared_values",
  "options",
  // Marks that do not hold.
  "missing",
  "signature_missing",
  "signature_invalid",
  "signature_expired",
  "key_unknown",
  "key_stale",
  "verifier",
  "context_dropped",
  // What calls wait for.
  "verifier_stalled",
  "publisher_stalled",
  "publisher_not_closed",
  // Calls without an event.
  "bypassed",
  "context_empty",
  "refused",
  "publisher_error",
  "too_many_unverified",
  // What handlers and options do.
  "attribute",
  "on_drop",
  "on_settled",
  "record_context",
  "not_relayed",
] as const;

/** A kind of trouble of src/service/. */
export type ServiceTrouble = (typeof serviceTroubles)[number];
