import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { SessionActivityEvent } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import type { EventRecord } from "../../src/publishing/event-record.js";
import type { Publisher } from "../../src/publishing/publisher.js";
import type { SpoolStats } from "../../src/publishing/spool-stats.js";
import { createDurablePublisher } from "../../src/spool/index.js";

/** What a process finds that starts with the spools of dead ones. */
export interface Recovery {
  /** What it publishes. */
  readonly records: readonly EventRecord[];
  readonly spool: SpoolStats;
  /** Whether spools were left that it did not come to an end with. */
  readonly isStuck: boolean;
}

const patienceMs = 10_000;
const spoolName = /^[0-9a-f-]{36}$/;

/** Starts a durable publisher on a directory, and waits until it has adopted all. */
export async function recover(directory: string, durability: "process" | "power"): Promise<Recovery> {
  const records: EventRecord[] = [];
  const kafka: Publisher = {
    publish(record, settled) {
      records.push(record);
      queueMicrotask(() => settled?.("delivered", record));
    },
    stats: () => ({ offered: 0, delivered: 0, dropped: {}, queued: 0 }),
    close: () => Promise.resolve(kafka.stats()),
  };
  const publisher = createDurablePublisher({ directory, durability, publisher: kafka, log: false });
  const end = performance.now() + patienceMs;
  while (hasSpools(directory) && performance.now() < end) await sleep(1);
  const isStuck = hasSpools(directory);
  await publisher.close();
  return { records, spool: publisher.spool(), isStuck };
}

function hasSpools(directory: string): boolean {
  try {
    return readdirSync(directory).some((name) => spoolName.test(name));
  } catch {
    // It was never made.
    return false;
  }
}

/** The numbers under which two different events came, and the ids under which two different records came. */
export function twinsOf(
  events: Iterable<{ readonly event: SessionActivityEvent; readonly content: string }>,
): string[] {
  const contents = new Map<string, string>();
  const numbers = new Map<string, string>();
  const twins = new Set<string>();
  for (const { event, content } of events) {
    const { eventId } = event;
    const number = `${event.instanceId}/${event.sequence}`;
    if ((contents.get(eventId) ?? content) !== content || (numbers.get(number) ?? eventId) !== eventId)
      twins.add(eventId);
    contents.set(eventId, content);
    numbers.set(number, eventId);
  }
  return [...twins];
}
