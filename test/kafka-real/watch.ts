import { setTimeout as delay } from "node:timers/promises";
import type { Service } from "./rig.js";

/** How deliveries go on after a fault. */
export interface Recovery {
  /** To the next delivery. */
  readonly deliveryMs: number;
  /** Until no more was queued than comes in a fifth of a second. */
  readonly backlogMs: number;
  /** Bytes of the service's process at the beginning. */
  readonly rss: number;
}

export interface Watch {
  /** Resolves when no delivery was reported for half a second. */
  silence(): Promise<void>;
  /** Resolves when the backlog is delivered. */
  recovery(eventsPerSecond: number): Promise<Recovery>;
  /** The longest time without a delivery, and the bytes of the service's process when its queue was full, and at most. */
  stop(): Promise<{ readonly stallMs: number; readonly bound: number; readonly peak: number }>;
}

/** Looks at the service all the while. */
export function watchDeliveries(service: Service): Watch {
  let stopped = false;
  let delivered = 0;
  let queued = 0;
  let changedAt = performance.now();
  let lookedAt = 0;
  let stallMs = 0;
  let rss = 0;
  let bound = 0;
  let peak = 0;
  async function look(): Promise<void> {
    while (!stopped) {
      const found = await service.stats();
      const now = performance.now();
      lookedAt = now;
      ({ rss } = found);
      peak = Math.max(peak, rss);
      if (bound === 0 && found.stats.dropped.queue_full !== undefined) bound = rss;
      ({ queued } = found.stats);
      if (found.stats.delivered !== delivered) {
        stallMs = Math.max(stallMs, now - changedAt);
        ({ delivered } = found.stats);
        changedAt = now;
      }
      await delay(10);
    }
  }
  const looking = look();
  looking.catch(() => {
    // Whoever stops it sees why.
  });
  return {
    async silence() {
      const deadline = performance.now() + 60_000;
      while (lookedAt - changedAt < 500) {
        if (performance.now() > deadline) throw new Error("deliveries went on for 60 s");
        await delay(10);
      }
    },
    async recovery(eventsPerSecond) {
      const begun = performance.now();
      const before = await service.stats();
      const until = async (what: string, condition: () => boolean): Promise<number> => {
        while (!condition()) {
          if (performance.now() - begun > 60_000) throw new Error(`${what} for 60 s after the fault`);
          await delay(5);
        }
        return performance.now() - begun;
      };
      const deliveryMs = await until("nothing was delivered", () => delivered > before.stats.delivered);
      const backlogMs = await until("a backlog was left", () => queued <= eventsPerSecond / 5);
      return { deliveryMs, backlogMs, rss: before.rss };
    },
    async stop() {
      stopped = true;
      await looking;
      return { stallMs, bound, peak };
    },
  };
}
