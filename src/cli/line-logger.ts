import { Console } from "node:console";
import type { Logger } from "../base/log.js";

/** Everything but debugging on stderr, a line each: for a process whose only task is ours, its beginning and end count too. */
export function createLineLogger(): Logger {
  // A stderr that nobody reads any more must not end the process: a Console ignores its errors.
  const lines = new Console({ stdout: process.stderr, ignoreErrors: true });
  const write =
    (level: string) =>
    (details: object, message: string): void =>
      lines.log(`connect-session-activity ${level}: ${message} ${JSON.stringify(details)}`);
  return { debug() {}, info: write("info"), warn: write("warn"), error: write("error") };
}
