/** Every kind of trouble that src/gateway/ reports. At most one line a minute is logged of each. */
export const gatewayTroubles = [
  "session_error",
  "context_invalid",
  "context_too_large",
  "unsigned",
  "operation_invalid",
  "no_operations",
  "signer_stalled",
] as const;

/** A kind of trouble of src/gateway/. */
export type GatewayTrouble = (typeof gatewayTroubles)[number];
