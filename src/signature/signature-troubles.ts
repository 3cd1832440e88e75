/** Every kind of trouble that src/signature/ reports. At most one line a minute is logged of each. */
export const signatureTroubles = ["jwks_not_fetched", "jwks_stale"] as const;

/** A kind of trouble of src/signature/. */
export type SignatureTrouble = (typeof signatureTroubles)[number];
