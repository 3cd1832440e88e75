/** How long a tick takes if nothing holds the event loop up. */
const tickMs = 20;
/** For how long ticks go on after somebody asked. In an idle process, each would cost more than it is worth. */
const activeMs = 2_000;
/** How far back a delay matters. */
const memoryMs = 300;
/** The longest delay that is allowed for. */
const maxDelayMs = 500;
/** From this share of busy time on, a loop that was not watched may have been held up. */
const busyShare = 0.5;

/**
 * Tells how late the event loop sees what happens, since it was busy: a request that waited in the kernel looks younger than
 * it is.
 *
 * It ticks only while calls with deadlines come. Before the first tick, the share of busy time stands in for it.
 */
export class LoopDelay {
  readonly #delays: Float64Array = new Float64Array(Math.ceil(memoryMs / tickMs));
  #next = 0;
  #expectedAt = 0;
  #activeUntil = 0;
  #timer: NodeJS.Timeout | undefined;
  #utilization = performance.eventLoopUtilization();
  #unwatchedUntil = 0;

  /** The largest delay of the last moments, in milliseconds. Call it when a request arrives and when its caller leaves. */
  recent(now: number): number {
    this.#watch(now);
    let longest = Math.max(0, now - this.#expectedAt);
    for (const delay of this.#delays) if (delay > longest) longest = delay;
    if (now < this.#unwatchedUntil) return maxDelayMs;
    return Math.min(maxDelayMs, longest);
  }

  #watch(now: number): void {
    this.#activeUntil = now + activeMs;
    if (this.#timer !== undefined) return;
    const { utilization } = performance.eventLoopUtilization(this.#utilization);
    if (utilization > busyShare) this.#unwatchedUntil = now + memoryMs;
    this.#delays.fill(0);
    this.#expectedAt = now + tickMs;
    this.#timer = setInterval(() => this.#tick(performance.now()), tickMs).unref();
  }

  #tick(now: number): void {
    this.#delays[this.#next] = Math.max(0, now - this.#expectedAt);
    this.#next = (this.#next + 1) % this.#delays.length;
    this.#expectedAt = now + tickMs;
    if (now < this.#activeUntil) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#utilization = performance.eventLoopUtilization();
  }
}

/** One for the process: there is one event loop. */
export const loopDelay: LoopDelay = new LoopDelay();
