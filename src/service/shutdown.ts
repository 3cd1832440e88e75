import { Code, ConnectError } from "@connectrpc/connect";
import type { KnownShutdown } from "../outcome/caller-by-signal.js";
import { joinSignals } from "./shared-signal.js";

/** What a user brings along for a shutdown of his own. */
interface GivenShutdown {
  readonly shutdownSignal?: AbortSignal | undefined;
  readonly shutdownError?: unknown;
}

/**
 * The end of a service, as its calls are told of it.
 *
 * Streams are told first, since they may go on for ever. All other calls are told when the time that they have to end by
 * themselves is over. Connect tells both by an abort signal that it links to each call. What that costs:
 * `npm run bench -- hot-path`.
 */
export class Shutdown implements KnownShutdown {
  /** What calls are told. A handler that throws it answers UNAVAILABLE, which clients take for a reason to try elsewhere. */
  readonly error: ConnectError = new ConnectError("the server is shutting down", Code.Unavailable);
  readonly #streams = new AbortController();
  readonly #calls = new AbortController();
  /** By these, calls are told of a shutdown. */
  readonly #signals: Set<AbortSignal> = new Set();
  readonly #errors: Set<unknown> = new Set([this.error]);

  readonly #given: AbortSignal | undefined;

  /** With a signal of the user's, all signals end with that one, too, and for its reason. */
  constructor(given: GivenShutdown = {}) {
    this.#given = given.shutdownSignal;
    this.know(given);
  }

  /** The abort signal for calls that are not streams. It ends with another one, too, and for its reason. */
  signalForCalls(other: AbortSignal | undefined): AbortSignal {
    return this.#joined(this.#calls, other);
  }

  /** The abort signal for streams. It ends with another one, too, and for its reason. */
  signalForStreams(other: AbortSignal | undefined): AbortSignal {
    return this.#joined(this.#streams, other);
  }

  #joined({ signal }: AbortController, other: AbortSignal | undefined): AbortSignal {
    return joinSignals([signal, this.#given, other].flatMap((one) => one ?? []));
  }

  /** Takes aborts by this signal, or for this error, for a shutdown. */
  know({ shutdownSignal, shutdownError }: GivenShutdown): void {
    if (shutdownSignal !== undefined) this.#signals.add(shutdownSignal);
    if (shutdownError !== undefined) this.#errors.add(shutdownError);
  }

  isShutdown(reason: unknown): boolean {
    if (this.#errors.has(reason)) return true;
    for (const signal of this.#signals) if (signal.aborted && signal.reason === reason) return true;
    return false;
  }

  /** Tells streams, those that are open and those that still come. */
  tellStreams(): void {
    this.#streams.abort(this.error);
  }

  /** Tells all calls. */
  tellAll(): void {
    this.tellStreams();
    this.#calls.abort(this.error);
  }
}
