/** How long a call waits for what signs or verifies its mark. That works in memory: what takes longer hangs. */
const patienceMs = 5_000;

/** Resolves and rejects as the promise does, and rejects where that takes too long. */
export async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    // Where the event loop stood still, the timer comes before what was ready meanwhile: one more round lets that in.
    const giveUp = (): void => void setImmediate(() => setImmediate(reject, new Error("this took too long")));
    timer = setTimeout(giveUp, patienceMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
