import { type Option, wholeNumber } from "../base/options.js";

/** The largest session context by default, in bytes, the same in gateway, service and relay: half of what HTTP/1.1 carries. */
export const defaultMaxContextBytes = 8_192;

/** The option that bounds a session context. HTTP/2 servers of Node take about 64 KiB of headers, and HTTP/1.1 16 KiB. */
export function maxContextBytesOption(meaning: string, variable?: string): Option<number> {
  return wholeNumber({ meaning, unit: "bytes", byDefault: defaultMaxContextBytes, variable });
}
