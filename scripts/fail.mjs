import { basename } from "node:path";

/** Ends the running script with a message. */
export function fail(message) {
  console.error(`${basename(process.argv[1], ".mjs")}: ${message}`);
  process.exit(1);
}
