import type { Logger } from "../base/log.js";
import { openSignalDatabase } from "../history/index.js";
import type { HistoryCommand } from "./history-arguments.js";
import { closeDatabase, startHistoryWorker } from "./history-worker.js";

/**
 * Runs a history worker until the process is told to end. Rejects if it cannot start, or ended by itself. A second signal
 * ends the process at once.
 */
export async function runHistory({ address, options }: HistoryCommand, log: Logger): Promise<void> {
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
