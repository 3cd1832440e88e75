/** Answers whether the promise resolved before the time was over. Rejects where the promise does in time. */
export async function within(timeoutMs: number, promise: Promise<unknown>): Promise<boolean> {
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
