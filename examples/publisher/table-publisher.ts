import { setTimeout } from "node:timers/promises";
import type { EventRecord, Publisher, Settled } from "connect-session-activity";

/** Writes each event to a table: the bytes as they are, and beside them what a query needs. */
export function createTablePublisher(insert: (row: object) => Promise<void>): Publisher {
  let offered = 0;
  let delivered = 0;
  let failed = 0;
  const stats = () => ({ offered, delivered, dropped: { error: failed }, queued: offered - delivered - failed });

  async function write(record: EventRecord, settled: Settled | undefined): Promise<void> {
    const { bytes, eventId, sequence } = record; // known without decoding
    const { action, status } = record.decode(); // the whole event, for those who ask
    try {
      await insert({ eventId, sequence, action, status, bytes });
      delivered += 1;
      settled?.("delivered", record);
    } catch {
      failed += 1;
      settled?.("error", record);
    }
  }

  async function flush(timeoutMs: number): Promise<void> {
    const end = performance.now() + timeoutMs;
    while (stats().queued > 0 && performance.now() < end) await setTimeout(10);
  }

  return {
    publish(record, settled) {
      offered += 1;
      void write(record, settled);
    },
    flush,
    stats,
    close: () => flush(5_000).then(stats),
  };
}
