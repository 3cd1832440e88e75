import type { TroubleLog } from "../log.js";
import type { NativeClient, NativeLogLine } from "./client.js";

/**
 * Hands what librdkafka has to say to the log: each facility (`FAIL`, `GETPID`...) is a kind of trouble of its own, and is
 * reported once a minute at most.
 *
 * Neither listener may throw, since that would end the process; the log never does.
 */
export function bridgeClientLog(client: NativeClient, log: TroubleLog): void {
  client.on("event.log", (line) => report(line, log));
  // The code is always -1 here: there is nothing to decide on, only something to read.
  client.on("event.error", (error) => log.warn("kafka client error", { error: error.message }, "Kafka client error"));
}

function report({ severity, fac, message }: NativeLogLine, log: TroubleLog): void {
  const kind = `kafka client ${fac}`;
  if (severity <= 3) log.error(kind, { facility: fac }, message);
  else if (severity === 4) log.warn(kind, { facility: fac }, message);
  // Below warnings librdkafka speaks only where the user asked for it, by `log_level` or `debug`: unlimited.
  else log.info({ facility: fac }, message);
}
