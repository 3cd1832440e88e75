import type { Publisher } from "connect-session-activity";

/** Writes each event to a table: the bytes as they are, and beside them what a query needs. */
export function createTablePublisher(insert: (row: object) => Promise<void>): Publisher {
  let offered = 0;
  let delivered = 0;
  let failed = 0;
  const stats = () => ({ offered, delivered, dropped: { error: failed }, queued: offered - delivered - failed });
  const publisher: Publisher = {
    publish(record, settled) {
      offered += 1;
      const { bytes, eventId, sequence } = record; // known without decoding
      const { action, status } = record.decode(); // the whole event, for those who ask
      insert({ eventId, sequence, action, status, bytes }).then(
        () => {
          delivered += 1;
          settled?.("delivered", record);
        },
        () => {
          failed += 1;
          settled?.("error", record);
        },
      );
    },
    stats,
    async close() {
      await publisher.flush?.(5_000);
      return stats();
    },
    async flush(timeoutMs) {
      const end = performance.now() + timeoutMs;
      while (stats().queued > 0 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
    },
  };
  return publisher;
}
