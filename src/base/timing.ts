import { setTimeout as delay } from "node:timers/promises";

/** Answers whether the promise resolved before the time was over. Rejects if the promise rejects before that. */
export async function resolvesWithin(timeoutMs: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  const done = async (): Promise<true> => {
    await promise;
    return true;
  };
  try {
    return await Promise.race([done(), over]);
  } finally {
    clearTimeout(timer);
  }
}

/** How long a call waits for what signs or verifies its mark. That works in memory: what takes longer hangs. */
const patienceMs = 5_000;

/** What {@link inTime} rejects with if the time is over. */
export const tookTooLong: Error = new Error("this took too long");

/** Resolves and rejects as the promise does, and rejects with {@link tookTooLong} after 5 s. For what a call waits for. */
export async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    // If the event loop stood still, the timer comes before what was ready meanwhile: one more round lets that in.
    const giveUp = (): void => void setImmediate(() => setImmediate(reject, tookTooLong));
    timer = setTimeout(giveUp, patienceMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits. Answers false as soon as the signal aborts. With `ref: false`, the wait does not keep the process alive. */
export async function pause(
  ms: number,
  signal: AbortSignal,
  options: { readonly ref?: boolean } = {},
): Promise<boolean> {
  await delay(ms, undefined, { ...options, signal }).catch(() => {
    // Aborted: asked for below.
  });
  return !signal.aborted;
}
