/** What happens to a response stream, each at most once, but for `closing` before `closed`. */
export interface StreamEvents<T = unknown> {
  /** The stream ran to its end. */
  finished(): void;
  /** The stream threw. */
  threw(thrown: unknown): void;
  /** Connect could not write, and is about to throw this into the stream. */
  writeFailed(error: unknown): void;
  /** Connect is about to close the stream before its end. */
  closing(): void;
  /** The stream is closed. The message is the last that it gave. */
  closed(lastMessage: T | undefined): void;
}

/**
 * Passes a response stream on unchanged and tells what happens to it.
 *
 * An `async function*` would not do: it turns Connect's `throw` into `return`, and the handler would never learn why.
 */
export function observeStream<T>(source: AsyncIterable<T>, on: StreamEvents<T>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      let over = false;
      let lastMessage: T | undefined;

      function finish(): void {
        over = true;
        on.finished();
      }
      function fail(thrown: unknown): void {
        over = true;
        on.threw(thrown);
      }

      function begin(): AsyncIterator<T> {
        try {
          return source[Symbol.asyncIterator]();
        } catch (thrown) {
          fail(thrown);
          throw thrown;
        }
      }
      const iterator = begin();

      return {
        async next() {
          try {
            const result = await iterator.next();
            if (result.done) finish();
            else lastMessage = result.value;
            return result;
          } catch (thrown) {
            fail(thrown);
            throw thrown;
          }
        },
        async throw(error: unknown) {
          if (!over) on.writeFailed(error);
          try {
            if (iterator.throw === undefined) throw error;
            const result = await iterator.throw(error);
            if (result.done && !over) finish();
            return result;
          } catch (thrown) {
            if (!over) fail(thrown);
            throw thrown;
          }
        },
        async return(value: unknown) {
          if (!over) on.closing();
          try {
            const result = (await iterator.return?.(value)) ?? { done: true as const, value };
            if (!over) on.closed(lastMessage);
            return result;
          } catch (thrown) {
            if (!over) fail(thrown);
            throw thrown;
          }
        },
      };
    },
  };
}
