import { type DescMessage, type MessageShape, toBinary, toJson } from "@bufbuild/protobuf";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { type Completion, createCompletionLatch } from "./completion.js";
import type { Exchange } from "./exchange.js";
import { codeOfGonePeer, isPeerGone, isWriteToGonePeer } from "./peer.js";
import { codeOk, wireCode } from "./status.js";
import { observeStream } from "./stream.js";

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
  const { signal } = call;
  const startedAt = exchange?.receivedAt ?? performance.now();
  const latch = createCompletionLatch(options.settleTimeoutMs, (completion) => {
    signal.removeEventListener("abort", onAbort);
    onEnd(completion);
  });
  /** The code on its way to the caller. */
  let answer: { code: number; at: number } | undefined;
  /** A unary handler's response, as long as nobody knows whether it can be serialized. */
  let unsent: Answer | undefined;
  /** Connect closes the stream itself, so the abort of the signal is Connect's own. */
  let closing = false;
  let thrownIntoStream: unknown;
  /** When the signal said that the deadline had passed, or that the caller had probably left. */
  let deadlineAt: number | undefined;
  let suspectedAt: number | undefined;

  async function run(next: Next): Promise<Answer> {
    if (!signal.aborted) signal.addEventListener("abort", onAbort);
    // Adapters are known to hand over calls whose signal is aborted though the caller waits: only the deadline counts.
    else if (isDeadline(signal.reason)) deadlinePassed();
    exchange?.onChange(onExchange);
    let response: Answer;
    try {
      // Not `.then`: where a bidi method is not implemented, `next` throws synchronously.
      response = await next(call);
    } catch (thrown) {
      threw(thrown);
      throw thrown;
    }
    if (response.stream) return withObservedMessages(response);
    latch.handlerFinished();
    // The signal fires once. Where it has, as after a shutdown, nothing tells when the response was serialized.
    if (signal.aborted) setImmediate(() => answered(trailerCode(response) || encodingCode(call, response.message)));
    else unsent = response;
    return response;
  }

  function withObservedMessages(response: Answer & { stream: true }): Answer {
    // The handler of a client-streaming method has ended when `next` resolves, those with response streams have not.
    if (call.method.methodKind === "client_streaming") latch.handlerFinished();
    const message = observeStream(response.message, {
      finished() {
        latch.handlerFinished();
        answered(codeOk);
      },
      threw,
      writeFailed(error) {
        thrownIntoStream = error;
        if (exchange !== undefined) return;
        if (isWriteToGonePeer(error)) callerLeft();
        else answered(wireCode(error));
      },
      closing() {
        closing = true;
      },
      closed(lastMessage) {
        latch.handlerStopped();
        // Connect closes a stream early when it cannot serialize a message. It notes the code in the trailer of gRPC and
        // gRPC-Web a moment later; the Connect protocol has none, but what can be encoded was over the size limit.
        setImmediate(() =>
          answered(trailerCode(response) || encodingCode(call, lastMessage) || Code.ResourceExhausted),
        );
      },
    });
    return { ...response, message };
  }

  function threw(thrown: unknown): void {
    const code = codeOfThrown(call, thrown);
    latch.handlerThrew(code, () => stoppedByAbort(thrown));
    answered(code);
  }

  function stoppedByAbort(thrown: unknown): boolean {
    if (thrown === signal.reason || (thrown !== undefined && thrown === thrownIntoStream)) return true;
    return thrown instanceof Error && (thrown.name === "AbortError" || thrown.cause === signal.reason);
  }

  function answered(code: number): void {
    if (answer !== undefined || suspectedAt !== undefined) return;
    answer = { code, at: performance.now() };
    if (exchange === undefined) latch.callerReceived(code, answer.at);
    else onExchange();
  }

  function onExchange(): void {
    if (exchange?.state === "gone") callerLeft();
    else if (answer === undefined || exchange?.state === "open") return;
    else if (deadlineAt !== undefined && answer.at - deadlineAt < deadlineGraceMs) callerLeft();
    else if (exchange?.state === "delivered" || !mayBeCancelled(call, answer.code)) {
      latch.callerReceived(answer.code, answer.at);
    }
  }

  function callerLeft(at: number = performance.now()): void {
    if (deadlineAt !== undefined) latch.callerLeft(Code.DeadlineExceeded, deadlineAt);
    else if (!latch.callerEnded) latch.callerLeft(codeOfGonePeer(call.header, at - startedAt), at);
  }

  function onAbort(): void {
    const { reason } = signal;
    if (latch.callerEnded || answer !== undefined || isShutdown(reason)) return;
    if (unsent !== undefined) {
      confirmSent(unsent, reason);
    } else if (isDeadline(reason)) {
      deadlinePassed();
    } else if (exchange === undefined) {
      guessWhoAborted(reason);
    }
  }

  function deadlinePassed(): void {
    deadlineAt = performance.now();
    // Where Node tells whether the caller leaves, one that does not keep its own deadline still gets the answer.
    if (exchange === undefined) callerLeft();
  }

  function isShutdown(reason: unknown): boolean {
    // The caller of a call that the shutdown aborts is still there, and receives what the handler answers.
    if (options.shutdownSignal?.aborted && reason === options.shutdownSignal.reason) return true;
    return options.shutdownError !== undefined && reason === options.shutdownError;
  }

  /** A unary handler had finished when the signal was aborted: by Connect after sending, or since it could not send. */
  function confirmSent(response: Answer, reason: unknown): void {
    if (exchange === undefined && (isPeerGone(reason) || isWriteToGonePeer(reason))) {
      callerLeft();
    } else if (reason instanceof Error && reason.name === "AbortError") {
      // Over gRPC and gRPC-Web, the trailer holds the code that was sent, a moment later.
      setImmediate(() => answered(trailerCode(response)));
    } else {
      answered(wireCode(reason));
    }
  }

  function guessWhoAborted(reason: unknown): void {
    if (isPeerGone(reason)) {
      callerLeft();
    } else if (!(reason instanceof ConnectError)) {
      // The caller has left, unless Connect closes the stream in this very moment.
      const at = performance.now();
      suspectedAt = at;
      setImmediate(() => {
        suspectedAt = undefined;
        if (!closing) callerLeft(at);
      });
    }
  }

  return { run, abandon: latch.abandon };
}

function isDeadline(reason: unknown): boolean {
  return reason instanceof ConnectError && reason.code === Code.DeadlineExceeded;
}

function contentTypeOf(call: Call): string {
  return call.header.get("content-type") ?? "";
}

/** What the caller receives when this is thrown. Connect takes a thrown undefined for a normal end, mostly. */
function codeOfThrown(call: Call, thrown: unknown): number {
  if (thrown !== undefined) return wireCode(thrown);
  const { methodKind } = call.method;
  if (methodKind === "server_streaming" || methodKind === "bidi_streaming") return codeOk;
  // The end comes without the one response that the caller expects, which gRPC's table of codes calls UNIMPLEMENTED.
  return methodKind === "unary" && !contentTypeOf(call).startsWith("application/grpc")
    ? Code.Internal
    : Code.Unimplemented;
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

/** The code in the response trailer, which gRPC and gRPC-Web use. 0 is OK, or that there is none. */
function trailerCode(response: Answer): number {
  return Number(response.trailer.get("grpc-status") ?? codeOk);
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
