import { createLineLogger, type Logger } from "../base/log.js";
import { openSignalDatabase } from "../history/index.js";
import type { Command } from "./command.js";
import { type HistoryCommand, readHistoryArguments } from "./history-arguments.js";
import { historyHelp } from "./history-help.js";
import { closeDatabase, startHistoryWorker } from "./history-worker.js";

/** `session-activity history`. */
export const historyCommand: Command = {
  name: "history",
  summary: "Records what changed in sessions, from Kafka into PostgreSQL",
  help: historyHelp,
  prepare(args) {
    const command = readHistoryArguments(args);
    return () => runHistory(command, createLineLogger(["info", "warn", "error"]));
  },
};

/**
 * Runs a history worker until the process is told to end. Rejects if it cannot start, or ended by itself. A second signal
 * ends the process at once.
 */
async function runHistory({ address, options }: HistoryCommand, log: Logger): Promise<void> {
  const database = openSignalDatabase({ ...address, env: false });
  const worker = startHistoryWorker({ ...options, database, env: false, log });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      log.info({ signal }, "Stopping");
      void worker.close();
    });
  }
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
