/** Every kind of trouble that src/trail/ reports. At most one line a minute is logged of each. */
export const trailTroubles = ["run_record_dropped", "losses_unnamed"] as const;

/** A kind of trouble of src/trail/. */
export type TrailTrouble = (typeof trailTroubles)[number];
