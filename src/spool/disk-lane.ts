/**
 * Lets one piece of work at a time use the disk. A disk that hangs holds one of Node's four threads for each piece that was
 * begun, and with all four nothing in the process reads a file or resolves a name any more. So a spool has two: its writes wait
 * for each other in their queue, and all else waits here.
 */
export class DiskLane {
  #last: Promise<unknown> = Promise.resolve();

  /** Work must not run work in the same lane, which would wait for itself. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}
