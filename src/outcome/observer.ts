// Not the global one: a test with fake timers must not stop what ends a call.
import { setImmediate } from "node:timers";
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { codeOk } from "../contract/status.js";
import {
  type Answer,
  type Call,
  type CallerWatch,
  codeOfThrown,
  codeOfUnsendable,
  type Next,
  trailerCode,
} from "./caller.js";
import { watchCallerByExchange } from "./caller-by-exchange.js";
import { type KnownShutdown, watchCallerBySignal } from "./caller-by-signal.js";
import { type Completion, type CompletionLatch, createCompletionLatch, type EndListener } from "./completion.js";
import type { Exchange } from "./exchange.js";
import { isAbortError, isWriteToGonePeer } from "./peer.js";
import { observeStream, type StreamEvents } from "./stream.js";

export interface ObserverOptions {
  readonly settleTimeoutMs: number;
  readonly shutdown: KnownShutdown;
}

/** A call under observation. */
export interface ObservedCall {
  /** Lets the call run. Resolves and rejects as the rest of the chain does. */
  run(next: Next): Promise<Answer>;
  /** Looks for an end that no event told. */
  lookAgain(): void;
  /** Stops waiting for the end of the call. */
  abandon(): void;
}

/**
 * Learns how a call really ends, and tells the listener once.
 *
 * The handler's end is seen directly. The caller's is the answer, unless the caller left first or the answer could not be
 * sent: that is what the watch on the caller finds out, by Node's exchange if there is one.
 */
export function observeCall(
  call: Call,
  exchange: Exchange | undefined,
  options: ObserverOptions,
  listener: EndListener,
): ObservedCall {
  return new Observer(call, exchange, options, listener);
}

class Observer implements ObservedCall, StreamEvents, EndListener {
  readonly #call: Call;
  readonly #listener: EndListener;
  readonly #latch: CompletionLatch;
  readonly #caller: CallerWatch;
  #response: Answer | undefined;
  #thrownIntoStream: unknown;

  constructor(call: Call, exchange: Exchange | undefined, options: ObserverOptions, listener: EndListener) {
    this.#call = call;
    this.#listener = listener;
    this.#latch = createCompletionLatch(options.settleTimeoutMs, this);
    this.#caller =
      exchange === undefined
        ? watchCallerBySignal(call, options.shutdown, this.#latch)
        : watchCallerByExchange(call, exchange, this.#latch);
  }

  lookAgain(): void {
    this.#caller.lookAgain();
  }

  abandon(): void {
    this.#latch.abandon();
  }

  ended(completion: Completion): void {
    this.#caller.stop();
    this.#listener.ended(completion);
  }

  async run(next: Next): Promise<Answer> {
    this.#caller.start();
    try {
      // Not `.then`: if a bidi method is not implemented, `next` throws synchronously. What an inner interceptor answers
      // against its type makes this throw, and Connect after it: the caller receives INTERNAL either way.
      return this.#responded(await next(this.#call));
    } catch (thrown) {
      this.threw(thrown);
      throw thrown;
    }
  }

  #responded(response: Answer): Answer {
    this.#response = response;
    if (!response.stream) {
      this.#latch.handlerFinished();
      this.#caller.answeredUnary(response);
      return response;
    }
    // The handler of a client-streaming method has ended when `next` resolves, those with response streams have not.
    if (this.#call.method.methodKind === "client_streaming") this.#latch.handlerFinished();
    return { ...response, message: observeStream(response.message, this) };
  }

  // The events of a response stream.

  finished(): void {
    this.#latch.handlerFinished();
    this.#caller.answered(codeOk);
  }

  threw(thrown: unknown): void {
    const code = codeOfThrown(this.#call, thrown);
    this.#latch.handlerThrew(code, this.#stoppedByAbort(thrown));
    this.#caller.answered(code);
  }

  writeFailed(error: unknown): void {
    this.#thrownIntoStream = error;
    this.#caller.writeFailed(error);
  }

  closing(): void {
    this.#caller.closing();
  }

  closed(lastMessage: MessageShape<DescMessage> | undefined): void {
    this.#latch.handlerStopped();
    // Connect closes a stream early when it cannot serialize a message. It notes the code in the trailer of gRPC and
    // gRPC-Web a moment later; the Connect protocol has none.
    setImmediate(() => {
      const noted = this.#response === undefined ? codeOk : trailerCode(this.#response);
      this.#caller.answered(noted || codeOfUnsendable(this.#call, lastMessage));
    });
  }

  /**
   * Whether the handler throws this because the call was aborted, or since Connect threw it into its stream. To be asked at
   * once: in the next moment Connect aborts the signal with what the handler threw.
   */
  #stoppedByAbort(thrown: unknown): boolean {
    const { aborted, reason } = this.#call.signal;
    if (!aborted) return false;
    if (thrown === reason || (thrown !== undefined && thrown === this.#thrownIntoStream)) return true;
    try {
      // What a handler that reads requests gets from Node when its caller leaves, and hands on.
      if (isWriteToGonePeer(thrown) || isAbortError(thrown)) return true;
      return typeof thrown === "object" && thrown !== null && "cause" in thrown && thrown.cause === reason;
    } catch {
      // Properties of what a handler throws may throw in turn.
      return false;
    }
  }
}
