import type { NativeProperties } from "./kafka-client.js";

/** What every client of ours that connects to a broker has in common. */
export const connectionProperties: NativeProperties = {
  "reconnect.backoff.ms": 100,
  // What is waited for after an outage is this back-off and nothing else: 0.2 s then, 0.5 s at most. With 1 s it is 0.6 and 1 s,
  // with librdkafka's default 6 to 10 s. A quarter would gain little, and a client that is refused for its password would come
  // back twice as often.
  "reconnect.backoff.max.ms": 500,
  "socket.keepalive.enable": true,
  "enable.metrics.push": false,
  log_level: 4,
  "log.connection.close": false,
};
