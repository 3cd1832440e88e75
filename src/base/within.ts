// For service/, until it imports it from timing.ts.
export { resolvesWithin as within } from "./timing.js";
