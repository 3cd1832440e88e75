import { resolvesWithin } from "../../base/timing.js";

/**
 * How many threads of Node's pool all clients of the process hold together. The pool has four, and while all are held, nothing in
 * the process reads a file, resolves a name or hashes a password.
 */
const maxHeld = 2;
/** What takes longer than any bound of ours hangs. It keeps its thread, but it must not keep everybody else from going on. */
const patienceMs = 10_000;

let held = 0;
const waiting: (() => void)[] = [];

/**
 * Runs work of the client that holds a thread of Node's pool until a broker answers or its time is over. If as many as allowed
 * are held, it waits for its turn. Resolves and rejects as the work does.
 */
export async function holdingThread<T>(work: () => Promise<T>): Promise<T> {
  // Who ends hands its place on, so that nobody who comes now is faster.
  if (held < maxHeld) held += 1;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  const result = settled(work);
  void resolvesWithin(patienceMs, result).then(handOn, handOn);
  return result;
}

/** Work that throws rejects. */
async function settled<T>(work: () => Promise<T>): Promise<T> {
  return work();
}

function handOn(): void {
  const next = waiting.shift();
  if (next === undefined) held -= 1;
  else next();
}
