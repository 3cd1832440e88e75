import { setMaxListeners } from "node:events";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Call, Next } from "../outcome/caller.js";

/**
 * The end of a service, as its calls are told of it.
 *
 * Streams are told first, since they may go on for ever. All other calls are told by the adapter's abort signal, when the time
 * that they have to end by themselves is over.
 */
export class Shutdown {
  /** What calls are told. A handler that throws it answers UNAVAILABLE, which clients take for a reason to try elsewhere. */
  readonly error: ConnectError = new ConnectError("the server is shutting down", Code.Unavailable);
  readonly #controller = new AbortController();
  readonly #streams: Set<AbortController> = new Set();
  #streamsTold = false;

  constructor() {
    // Connect adds a listener for each call. That is no leak.
    setMaxListeners(0, this.#controller.signal);
  }

  /** The abort signal for the adapter. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends together with a signal of the user's, for the user's reason. */
  follow(signal: AbortSignal | undefined): void {
    if (signal === undefined || signal === this.signal) return;
    if (signal.aborted) this.#controller.abort(signal.reason);
    else signal.addEventListener("abort", () => this.#controller.abort(signal.reason), { once: true });
  }

  /** Tells streams, those that are open and those that still come. */
  tellStreams(): void {
    this.#streamsTold = true;
    for (const stream of this.#streams) stream.abort(this.error);
    this.#streams.clear();
  }

  /** Tells all calls. */
  tellAll(): void {
    this.tellStreams();
    this.#controller.abort(this.error);
  }

  /**
   * Gives the handlers of a stream a signal that a shutdown aborts at once.
   *
   * Connect aborts the signal of every call at its end, so none stays in the set.
   */
  linkStream(next: Next): Next {
    return (call) => next(this.#link(call));
  }

  #link(call: Call): Call {
    if (call.signal.aborted) return call;
    const stream = new AbortController();
    if (this.#streamsTold) stream.abort(this.error);
    else this.#streams.add(stream);
    const end = (): void => {
      this.#streams.delete(stream);
      stream.abort(call.signal.reason);
    };
    call.signal.addEventListener("abort", end, { once: true });
    return { ...call, signal: stream.signal };
  }
}
