import { createLineLogger, type Logger } from "../base/log.js";
import { openSignalDatabase } from "../history/index.js";
import type { Command } from "./command.js";
import { type HistoryCommand, historyOptions, readHistoryArguments } from "./history-arguments.js";
import { closeDatabase, startHistoryWorker } from "./history-worker.js";
import type { Terminal } from "./terminal.js";

/** `session-activity history`. */
export const historyCommand: Command = {
  name: "history",
  summary: "Records what changed in sessions, from Kafka into PostgreSQL",
  isEndless: true,
  endsSlowly: true,
  help: {
    usage: "--brokers HOST:PORT --database ADDRESS [options]",
    about: "Reads session activities from Kafka, and records what changed in sessions on PostgreSQL.",
    options: historyOptions,
    notes: `Secrets come from the environment: PGPASSWORD or PGPASSFILE, or an address in SESSION_HISTORY_DATABASE; for Kafka, the
variables SESSION_TRACKING_KAFKA_* that services have, too.`,
    examples: [
      {
        does: "Record into PostgreSQL, and answer about health on port 8081",
        line: "session-activity history --brokers kafka.internal:9092 --database postgresql://recorder@db.internal/history --health-port 8081",
      },
      {
        does: "Try it without a server: an embedded database in a folder",
        line: "session-activity history --brokers localhost:9092 --database ./history",
      },
    ],
    endings: { done: "it was told to end, by SIGTERM or SIGINT" },
  },
  prepare(args) {
    const command = readHistoryArguments(args);
    return (terminal) => runHistory(command, createLineLogger(["info", "warn", "error"]), terminal);
  },
};

/**
 * Runs a history worker until the process is told to end. Rejects if it cannot start, or ended by itself. A second signal
 * ends the process at once.
 */
async function runHistory({ address, options }: HistoryCommand, log: Logger, terminal: Terminal): Promise<void> {
  const database = openSignalDatabase({ ...address, env: false });
  const worker = startHistoryWorker({ ...options, database, env: false, log });
  terminal.ending.addEventListener("abort", () => {
    log.info({ signal: terminal.endReason() }, "Stopping");
    void worker.close();
  });
  try {
    const healthPort = await worker.healthPort;
    if (worker.stats().live) log.info({ groupId: options.kafka.groupId, healthPort }, "Started");
    await worker.closed;
  } finally {
    await worker.close();
    await closeDatabase(database);
    const { consumer, ...counts } = worker.stats();
    log.info({ handled: consumer?.handled, ...counts.history }, "Stopped");
  }
}
