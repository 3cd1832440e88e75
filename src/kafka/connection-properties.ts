import type { NativeProperties } from "./client.js";

/** What every client of ours that connects to a broker has in common. */
export const connectionProperties: NativeProperties = {
  "reconnect.backoff.ms": 100,
  // With the default of 10 s, everything goes on 6 to 10 s after an outage instead of 0.5 s.
  "reconnect.backoff.max.ms": 1_000,
  "socket.keepalive.enable": true,
  "enable.metrics.push": false,
  log_level: 4,
  "log.connection.close": false,
};
