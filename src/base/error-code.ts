// For outcome/, until it imports it from errors.ts.
export { errorCode } from "./errors.js";
