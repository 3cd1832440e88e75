import { optionLines } from "./command.js";
import { historyOptions } from "./history-arguments.js";

/** What `session-activity history --help` prints. */
export function historyHelp(): string {
  return `Usage: session-activity history --brokers HOST:PORT --database ADDRESS [options]

Reads session activities from Kafka, and records what changed in sessions on PostgreSQL.

Options:
${optionLines(historyOptions)}

Secrets come from the environment: PGPASSWORD or PGPASSFILE, or an address in SESSION_HISTORY_DATABASE; for Kafka, the
variables SESSION_TRACKING_KAFKA_* that services have, too.

Exit codes: 0 after SIGTERM or SIGINT, 1 when it cannot go on, 2 for wrong arguments.
`;
}
