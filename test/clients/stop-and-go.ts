import type { ChildProcess } from "node:child_process";

const periodMs = 100;

/**
 * Stops a process for a share of the time, in bursts, so that its loop and all its threads stand still. Its kernel's side of
 * connections goes on. Gives the function that ends it.
 */
export function stopAndGo(child: ChildProcess, share: number): () => void {
  let timer: NodeJS.Timeout | undefined;
  const jittered = (ms: number): number => ms * (0.5 + Math.random());
  const stop = (): void => {
    child.kill("SIGSTOP");
    timer = setTimeout(go, jittered(periodMs * share));
  };
  const go = (): void => {
    child.kill("SIGCONT");
    timer = setTimeout(stop, jittered(periodMs * (1 - share)));
  };
  timer = setTimeout(stop, periodMs);
  return () => {
    clearTimeout(timer);
    child.kill("SIGCONT");
  };
}
