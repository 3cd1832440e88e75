import { type DescMessage, type MessageShape, toBinary, toJson } from "@bufbuild/protobuf";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { type Completion, type CompletionLatch, createCompletionLatch } from "./completion.js";
import type { Exchange } from "./exchange.js";
import { codeOfGonePeer, isPeerGone, isWriteToGonePeer } from "./peer.js";
import { codeOk, wireCode } from "./status.js";
import { observeStream, type StreamEvents } from "./stream.js";

/** The rest of the chain, as Connect hands it to an interceptor. */
export type Next = Parameters<Interceptor>[0];
/** A call, as Connect hands it to an interceptor. */
export type Call = Parameters<Next>[0];
/** What the rest of the chain resolves to. */
export type Answer = Awaited<ReturnType<Next>>;

/** An answer so soon after the deadline is too late: the caller's clock, which started before ours, has run out, too. */
const deadlineGraceMs = 25;

export interface ObserverOptions {
  readonly shutdownSignal: AbortSignal | undefined;
  readonly shutdownError: unknown;
  readonly settleTimeoutMs: number;
}

/** A call under observation. */
export interface ObservedCall {
  /** Lets the call run. Resolves and rejects as the rest of the chain does. */
  run(next: Next): Promise<Answer>;
  /** Stops waiting for the end of the call. */
  abandon(): void;
}

/**
 * Learns how a call really ends, and calls `onEnd` once.
 *
 * The handler's end is seen directly. The caller's is the answer, unless the caller left first or the answer could not be
 * sent. Node's exchange tells exactly whether the caller left. Without one the call's signal tells most of it, though it
 * is aborted at the normal end of every call, too.
 */
export function observeCall(
  call: Call,
  exchange: Exchange | undefined,
  options: ObserverOptions,
  onEnd: (completion: Completion) => void,
): ObservedCall {
  return new Observer(call, exchange, options, onEnd);
}

class Observer implements ObservedCall, StreamEvents {
  readonly #call: Call;
  readonly #exchange: Exchange | undefined;
  readonly #options: ObserverOptions;
  readonly #latch: CompletionLatch;
  readonly #startedAt: number;
  /** The code on its way to the caller, and since when. */
  #answerCode: number | undefined;
  #answeredAt = 0;
  /** What the rest of the chain answered. */
  #response: Answer | undefined;
  /** A unary handler has answered, and nobody knows yet whether that can be serialized. */
  #unsent = false;
  /** Connect closes the stream itself, so the abort of the signal is Connect's own. */
  #closing = false;
  #thrownIntoStream: unknown;
  /** When the signal said that the deadline had passed. */
  #deadlineAt: number | undefined;
  /** The signal said that the caller had probably left; the next moment tells. */
  #suspected = false;

  constructor(
    call: Call,
    exchange: Exchange | undefined,
    options: ObserverOptions,
    onEnd: (completion: Completion) => void,
  ) {
    this.#call = call;
    this.#exchange = exchange;
    this.#options = options;
    this.#startedAt = exchange?.receivedAt ?? performance.now();
    this.#latch = createCompletionLatch(options.settleTimeoutMs, (completion) => {
      call.signal.removeEventListener("abort", this);
      onEnd(completion);
    });
  }

  abandon(): void {
    this.#latch.abandon();
  }

  async run(next: Next): Promise<Answer> {
    const { signal } = this.#call;
    if (!signal.aborted) signal.addEventListener("abort", this);
    // Adapters are known to hand over calls whose signal is aborted though the caller waits: only the deadline counts.
    else if (isDeadline(signal.reason)) this.#deadlinePassed();
    this.#exchange?.onChange(() => this.#exchangeChanged());
    try {
      // Not `.then`: where a bidi method is not implemented, `next` throws synchronously.
      this.#response = await next(this.#call);
    } catch (thrown) {
      this.threw(thrown);
      throw thrown;
    }
    if (!this.#response.stream) return this.#answeredUnary(this.#response);
    // The handler of a client-streaming method has ended when `next` resolves, those with response streams have not.
    if (this.#call.method.methodKind === "client_streaming") this.#latch.handlerFinished();
    return { ...this.#response, message: observeStream(this.#response.message, this) };
  }

  #answeredUnary(response: Answer & { stream: false }): Answer {
    this.#latch.handlerFinished();
    this.#unsent = true;
    // The signal fires once. Where it has, as after a shutdown, nothing tells when the response was serialized.
    if (this.#call.signal.aborted) {
      setImmediate(() => this.#answered(this.#trailerCode() || encodingCode(this.#call, response.message)));
    }
    return response;
  }

  // The events of a response stream.

  finished(): void {
    this.#latch.handlerFinished();
    this.#answered(codeOk);
  }

  threw(thrown: unknown): void {
    const code = codeOfThrown(this.#call, thrown);
    this.#latch.handlerThrew(code, () => this.#stoppedByAbort(thrown));
    this.#answered(code);
  }

  writeFailed(error: unknown): void {
    this.#thrownIntoStream = error;
    if (this.#exchange !== undefined) return;
    if (isWriteToGonePeer(error)) this.#callerLeft();
    else this.#answered(wireCode(error));
  }

  closing(): void {
    this.#closing = true;
  }

  closed(lastMessage: MessageShape<DescMessage> | undefined): void {
    this.#latch.handlerStopped();
    // Connect closes a stream early when it cannot serialize a message. It notes the code in the trailer of gRPC and
    // gRPC-Web a moment later; the Connect protocol has none, but what can be encoded was over the size limit.
    setImmediate(() => {
      this.#answered(this.#trailerCode() || encodingCode(this.#call, lastMessage) || Code.ResourceExhausted);
    });
  }

  // The abort of the call's signal.

  handleEvent(): void {
    const { reason } = this.#call.signal;
    if (this.#latch.callerEnded || this.#answerCode !== undefined || this.#isShutdown(reason)) return;
    if (this.#unsent) this.#confirmSent(reason);
    else if (isDeadline(reason)) this.#deadlinePassed();
    else if (this.#exchange === undefined) this.#guessWhoAborted(reason);
  }

  #isShutdown(reason: unknown): boolean {
    // The caller of a call that the shutdown aborts is still there, and receives what the handler answers.
    const { shutdownSignal, shutdownError } = this.#options;
    if (shutdownSignal?.aborted && reason === shutdownSignal.reason) return true;
    return shutdownError !== undefined && reason === shutdownError;
  }

  /** A unary handler had finished when the signal was aborted: by Connect after sending, or since it could not send. */
  #confirmSent(reason: unknown): void {
    if (this.#exchange === undefined && (isPeerGone(reason) || isWriteToGonePeer(reason))) {
      this.#callerLeft();
    } else if (reason instanceof Error && reason.name === "AbortError") {
      // Over gRPC and gRPC-Web, the trailer holds the code that was sent, a moment later. The Connect protocol has sent it.
      if (isGrpc(this.#call)) setImmediate(answerByTrailer, this);
      else this.#answered(codeOk);
    } else {
      this.#answered(wireCode(reason));
    }
  }

  #deadlinePassed(): void {
    this.#deadlineAt = performance.now();
    // Where Node tells whether the caller leaves, one that does not keep its own deadline still gets the answer.
    if (this.#exchange === undefined) this.#callerLeft();
  }

  #guessWhoAborted(reason: unknown): void {
    if (isPeerGone(reason)) {
      this.#callerLeft();
    } else if (!(reason instanceof ConnectError)) {
      // The caller has left, unless Connect closes the stream in this very moment.
      const at = performance.now();
      this.#suspected = true;
      setImmediate(() => {
        this.#suspected = false;
        if (!this.#closing) this.#callerLeft(at);
      });
    }
  }

  // The caller's end.

  answeredAsTrailerSays(): void {
    this.#answered(this.#trailerCode());
  }

  #answered(code: number): void {
    if (this.#answerCode !== undefined || this.#suspected) return;
    this.#answerCode = code;
    this.#answeredAt = performance.now();
    if (this.#exchange === undefined) this.#latch.callerReceived(code, this.#answeredAt);
    else this.#exchangeChanged();
  }

  #exchangeChanged(): void {
    const state = this.#exchange?.state;
    const code = this.#answerCode;
    if (state === "gone") this.#callerLeft();
    else if (code === undefined || state === "open") return;
    else if (this.#answeredAt - (this.#deadlineAt ?? Number.NEGATIVE_INFINITY) < deadlineGraceMs) this.#callerLeft();
    else if (state === "delivered" || !mayBeCancelled(this.#call, code)) {
      this.#latch.callerReceived(code, this.#answeredAt);
    }
  }

  #callerLeft(at: number = performance.now()): void {
    if (this.#deadlineAt !== undefined) this.#latch.callerLeft(Code.DeadlineExceeded, this.#deadlineAt);
    else if (!this.#latch.callerEnded) {
      this.#latch.callerLeft(codeOfGonePeer(this.#call.header, at - this.#startedAt), at);
    }
  }

  #stoppedByAbort(thrown: unknown): boolean {
    const { reason } = this.#call.signal;
    if (thrown === reason || (thrown !== undefined && thrown === this.#thrownIntoStream)) return true;
    return thrown instanceof Error && (thrown.name === "AbortError" || thrown.cause === reason);
  }

  /** The code in the response trailer, which gRPC and gRPC-Web use. 0 is OK, or that there is none. */
  #trailerCode(): number {
    return Number(this.#response?.trailer.get("grpc-status") ?? codeOk);
  }
}

/** A function of the module: a closure for each call would cost more than the rest of this. */
function answerByTrailer(observer: Observer): void {
  observer.answeredAsTrailerSays();
}

function isDeadline(reason: unknown): boolean {
  return reason instanceof ConnectError && reason.code === Code.DeadlineExceeded;
}

function contentTypeOf(call: Call): string {
  return call.header.get("content-type") ?? "";
}

/** gRPC or gRPC-Web. */
function isGrpc(call: Call): boolean {
  return contentTypeOf(call).startsWith("application/grpc");
}

/** What the caller receives when this is thrown. Connect takes a thrown undefined for a normal end, mostly. */
function codeOfThrown(call: Call, thrown: unknown): number {
  if (thrown !== undefined) return wireCode(thrown);
  const { methodKind } = call.method;
  if (methodKind === "server_streaming" || methodKind === "bidi_streaming") return codeOk;
  // The end comes without the one response that the caller expects, which gRPC's table of codes calls UNIMPLEMENTED.
  return methodKind === "unary" && !isGrpc(call) ? Code.Internal : Code.Unimplemented;
}

/**
 * Whether a caller that has ended its side of the exchange may cancel it although the answer is written.
 *
 * The handlers that see the end of the requests, answer because of it, and whose caller ended them in order to cancel.
 * Not a caller who reads an error inside the body and resets the stream before the last frame: the Connect protocol and
 * gRPC-Web put it there.
 */
function mayBeCancelled(call: Call, code: number): boolean {
  const { methodKind } = call.method;
  const readsRequests = methodKind === "client_streaming" || methodKind === "bidi_streaming";
  return readsRequests && (code === codeOk || /^application\/grpc(?!-web)/.test(contentTypeOf(call)));
}

/** Whether Connect can have encoded this message, found by doing it again: the codes are OK and INTERNAL. */
function encodingCode(call: Call, message: MessageShape<DescMessage> | undefined): number {
  if (message === undefined) return codeOk;
  try {
    if (contentTypeOf(call).includes("json")) toJson(call.method.output, message);
    else toBinary(call.method.output, message);
    return codeOk;
  } catch {
    return Code.Internal;
  }
}
