import type { Logger } from "../base/log.js";
import { resolvesWithin } from "../base/timing.js";
import { openSignalDatabase } from "../history/index.js";
import { loadKafkaClient } from "../kafka/client/kafka-client.js";
import { type Health, startHealth } from "./health.js";
import type { HistoryCommand } from "./history-arguments.js";
import { startHistoryWorker } from "./history-worker.js";

/** How long the database may take to close. */
const closeTimeoutMs = 5_000;

/**
 * Runs a history worker until the process is told to end. Rejects where it cannot start, or ended by itself. A second signal
 * ends the process at once.
 */
export async function runHistory(
  { database: url, history, kafka, health }: HistoryCommand,
  log: Logger,
): Promise<void> {
  // Before an embedded database begins to make its folder.
  loadKafkaClient();
  const database = openSignalDatabase({ url });
  const worker = startHistoryWorker({ database, history, kafka, log });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      log.info({ signal }, "Stopping");
      void worker.close();
    });
  }
  let endpoint: Health | undefined;
  try {
    endpoint = health && (await startHealth(health, worker.stats));
    log.info({ groupId: kafka.groupId, healthPort: endpoint?.port }, "Started");
    await worker.closed;
  } finally {
    await worker.close();
    await resolvesWithin(closeTimeoutMs, database.close()).catch(() => {
      // One that could not be opened cannot be closed, either.
    });
    await endpoint?.close();
    const { consumer, ...counts } = worker.stats();
    log.info({ handled: consumer?.handled, ...counts.history }, "Stopped");
  }
}
