/** Polls until the condition holds; fails with what `state` tells when it does not within the time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  state: () => unknown = () => condition.toString(),
  withinMs = 20_000,
): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`still waiting after ${withinMs} ms: ${JSON.stringify(state())}`);
    await pause(5);
  }
}

/** Lets time pass, where that is what a test is about. Nothing is expected of its length. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
