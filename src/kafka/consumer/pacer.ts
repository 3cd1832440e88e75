/** Shares the main thread between workers and everything else that the process does. */
export interface Pacer {
  /** Whether work has gone on for so long that timers and sockets must have their turn. */
  due(): boolean;
  /** Resolves after a turn of the event loop. Of those that wait, one goes on per turn, the first first. */
  turn(): Promise<void>;
}

/**
 * Creates a pacer for slices of that length. By default, 10 ms.
 *
 * Only one worker goes on per turn, since Node runs all immediates of a turn in a row: twenty workers of 10 ms each would hold
 * everything else up for 200.
 */
export function createPacer(sliceMs = 10): Pacer {
  const waiting: (() => void)[] = [];
  let since = performance.now();
  function goOn(): void {
    since = performance.now();
    waiting.shift()?.();
    if (waiting.length > 0) setImmediate(goOn);
  }
  return {
    due: () => performance.now() - since >= sliceMs,
    turn: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        if (waiting.length === 1) setImmediate(goOn);
      }),
  };
}
