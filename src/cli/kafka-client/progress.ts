import type { WriteStream } from "node:tty";

/** Tells a person how far something is. */
export interface Progress {
  /** Writes a line of its own. */
  say(text: string): void;
  /** Says that `done` of `total` parts are there. */
  count(text: string, done: number, total: number): void;
}

/** Writes to a terminal in place, and to a file or a pipe a line for each quarter. */
export function createProgress(stream: Pick<WriteStream, "isTTY" | "write">): Progress {
  let isInPlace = false;

  function say(text: string): void {
    stream.write(`${isInPlace ? "\n" : ""}${text}\n`);
    isInPlace = false;
  }

  return {
    say,
    count(text, done, total) {
      if (stream.isTTY) {
        stream.write(`\r${text}: ${done} of ${total}`);
        isInPlace = true;
      } else if (quarters(done, total) > quarters(done - 1, total)) {
        say(`${text}: ${done} of ${total}`);
      }
    },
  };
}

function quarters(done: number, total: number): number {
  return Math.floor((4 * done) / total);
}
