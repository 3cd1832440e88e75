// Not the global one: a test with fake timers must not stop what ends a call.
import { clearInterval, setInterval } from "node:timers";

/** A call that can be told to end now. */
export interface OpenCall {
  /** By the monotonic clock, in milliseconds. */
  readonly startedAt: number;
  /** Its place among the open calls, which they set. An entry of its own for each would cost more. */
  place: number;
  /** Looks whether it has ended without being told. */
  lookAgain(): void;
  abandon(): void;
}

/** The tracked calls that have not ended. */
export interface OpenCalls {
  readonly size: number;
  /** For how long the oldest of them has been in hand, in milliseconds; 0 if none is. It looks at all of them. */
  oldestInHandMs(): number;
  add(call: OpenCall): void;
  /** Idempotent. */
  remove(call: OpenCall): void;
  /** Resolves when no call is open. Those that still are after so many milliseconds are abandoned. */
  drain(timeoutMs: number): Promise<void>;
}

/** How often open calls look again. */
const lookAgainMs = 1_000;

/** Creates an empty collection. */
export function createOpenCalls(): OpenCalls {
  // An array whose last call moves into a gap. A Set, which lives long and holds what lives shortly, costs the garbage
  // collector 8 us per call.
  const calls: OpenCall[] = [];
  const waiting: (() => void)[] = [];
  let timer: NodeJS.Timeout | undefined;

  function lookAgain(): void {
    for (const call of calls.slice()) call.lookAgain();
    if (calls.length > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  return {
    get size() {
      return calls.length;
    },
    oldestInHandMs() {
      const now = performance.now();
      return calls.reduce((oldest, { startedAt }) => Math.max(oldest, now - startedAt), 0);
    },
    add(call) {
      call.place = calls.length;
      calls.push(call);
      timer ??= setInterval(lookAgain, lookAgainMs).unref();
    },
    remove(call) {
      if (calls[call.place] !== call) return;
      const last = calls.pop();
      if (last !== undefined && last !== call) {
        calls[call.place] = last;
        last.place = call.place;
      }
      if (calls.length === 0) for (const resolve of waiting.splice(0)) resolve();
    },
    async drain(timeoutMs) {
      if (calls.length === 0) return;
      const empty = new Promise<void>((resolve) => void waiting.push(resolve));
      const end = setTimeout(() => {
        for (const call of calls.slice()) call.abandon();
      }, timeoutMs);
      await empty;
      clearTimeout(end);
    },
  };
}
