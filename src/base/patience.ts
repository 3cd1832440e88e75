// For service/ and gateway/, until they import it from timing.ts.
export { inTime } from "./timing.js";
