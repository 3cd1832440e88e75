import type { SessionActivityEvent } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import type { Publisher, PublisherStats } from "./publisher.js";

/** A publisher that keeps its events, for tests. */
export interface MemoryPublisher extends Publisher {
  readonly events: readonly SessionActivityEvent[];
}

/** Creates a publisher that keeps its events in memory, for tests. After close it drops. */
export function createMemoryPublisher(): MemoryPublisher {
  const events: SessionActivityEvent[] = [];
  let refused = 0;
  let closed = false;
  const stats = (): PublisherStats => ({
    offered: events.length + refused,
    delivered: events.length,
    dropped: refused > 0 ? { closed: refused } : {},
    queued: 0,
  });
  return {
    events,
    publish(record, settled) {
      if (closed) refused += 1;
      else events.push(record.decode());
      settled?.(closed ? "closed" : "delivered", record);
    },
    stats,
    close() {
      closed = true;
      return Promise.resolve(stats());
    },
  };
}
