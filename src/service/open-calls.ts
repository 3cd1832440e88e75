// Not the global one: a test with fake timers must not stop what ends a call.
import { clearInterval, setInterval } from "node:timers";

/** A call that can be told to end now. */
export interface OpenCall {
  /** By the monotonic clock, in milliseconds. */
  readonly startedAt: number;
  /** Looks whether it has ended without being told. */
  lookAgain(): void;
  abandon(): void;
}

/** The tracked calls that have not ended. */
export interface OpenCalls {
  readonly size: number;
  /** For how long the oldest of them has been in hand, in milliseconds; 0 if none is. It looks at all of them. */
  oldestInHandMs(): number;
  add(call: OpenCall): OpenEntry;
  /** Idempotent. */
  remove(entry: OpenEntry): void;
  /** Resolves when no call is open. Those that still are after so many milliseconds are abandoned. */
  drain(timeoutMs: number): Promise<void>;
}

/** Where an open call is kept. */
export interface OpenEntry {
  readonly call: OpenCall;
  index: number;
}

/** How often open calls look again. */
const lookAgainMs = 1_000;

/** Creates an empty collection. */
export function createOpenCalls(): OpenCalls {
  // An array whose last entry moves into a gap. A Set, which lives long and holds what lives shortly, costs the garbage
  // collector 8 us per call.
  const entries: OpenEntry[] = [];
  const waiting: (() => void)[] = [];
  let timer: NodeJS.Timeout | undefined;

  function lookAgain(): void {
    for (const { call } of entries.slice()) call.lookAgain();
    if (entries.length > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  return {
    get size() {
      return entries.length;
    },
    oldestInHandMs() {
      const now = performance.now();
      return entries.reduce((oldest, { call }) => Math.max(oldest, now - call.startedAt), 0);
    },
    add(call) {
      const entry = { call, index: entries.length };
      entries.push(entry);
      timer ??= setInterval(lookAgain, lookAgainMs).unref();
      return entry;
    },
    remove(entry) {
      if (entries[entry.index] !== entry) return;
      const last = entries.pop();
      if (last !== undefined && last !== entry) {
        entries[entry.index] = last;
        last.index = entry.index;
      }
      if (entries.length === 0) for (const resolve of waiting.splice(0)) resolve();
    },
    async drain(timeoutMs) {
      if (entries.length === 0) return;
      const empty = new Promise<void>((resolve) => void waiting.push(resolve));
      const end = setTimeout(() => {
        for (const { call } of entries.slice()) call.abandon();
      }, timeoutMs);
      await empty;
      clearTimeout(end);
    },
  };
}
