/** How often the loop is blocked, on average. */
const periodMs = 100;

/**
 * Blocks this process's event loop for a share of the time, in bursts: 0.6 is 60 ms of each 100 ms, by chance somewhat more or
 * less. It takes no processor time, so that it disturbs no other process. Gives the function that ends it.
 */
export function blockLoop(share: number): () => void {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  const jittered = (ms: number): number => ms * (0.5 + Math.random());
  const burst = (): void => {
    Atomics.wait(clock, 0, 0, jittered(periodMs * share));
    timer = setTimeout(burst, jittered(periodMs * (1 - share)));
  };
  let timer = setTimeout(burst, periodMs);
  return () => clearTimeout(timer);
}
