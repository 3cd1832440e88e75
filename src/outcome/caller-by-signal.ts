import { Code, ConnectError } from "@connectrpc/connect";
import { codeOk, wireCode } from "../contract/status.js";
import {
  type Answer,
  type Call,
  type CallerEvents,
  type CallerWatch,
  isEncodable,
  isGrpc,
  trailerCode,
} from "./caller.js";
import { codeOfGonePeer, isDeadline, isPeerGone, isWriteToGonePeer } from "./peer.js";

/** Tells a call that the server's shutdown aborts from one whose caller left. */
export interface KnownShutdown {
  /** Whether a call that is aborted for this reason is aborted by the shutdown. */
  isShutdown(reason: unknown): boolean;
}

/**
 * Watches the caller through the call's signal, which tells most of it.
 *
 * It is aborted when the caller leaves, at its deadline, and at a shutdown, but also at the normal end of every call, once
 * and for one of these reasons.
 */
export function watchCallerBySignal(call: Call, shutdown: KnownShutdown, events: CallerEvents): CallerWatch {
  return new SignalWatch(call, shutdown, events);
}

class SignalWatch implements CallerWatch {
  readonly #call: Call;
  readonly #shutdown: KnownShutdown;
  readonly #events: CallerEvents;
  readonly #startedAt: number = performance.now();
  readonly #abortedBefore: boolean;
  #answered = false;
  /** A unary answer, as long as nobody knows whether it can be serialized. */
  #unsent: Answer | undefined;
  /** The abort of the signal is Connect's own, since it closes the stream. */
  #closing = false;
  /** The signal says that the caller has probably left; the next moment tells. */
  #suspected = false;

  constructor(call: Call, shutdown: KnownShutdown, events: CallerEvents) {
    this.#call = call;
    this.#abortedBefore = call.signal.aborted;
    this.#shutdown = shutdown;
    this.#events = events;
  }

  start(): void {
    const { signal } = this.#call;
    if (!signal.aborted) signal.addEventListener("abort", this);
    // Since the call came: its mark had to be verified, or its start be noted.
    else if (!this.#abortedBefore) this.handleEvent();
    // Adapters are known to hand over calls whose signal is aborted though the caller waits: only the deadline counts.
    else if (isDeadline(signal.reason)) this.#deadlinePassed();
  }

  stop(): void {
    this.#call.signal.removeEventListener("abort", this);
  }

  answered(code: number): void {
    if (this.#answered || this.#suspected) return;
    this.#answered = true;
    this.#events.callerReceived(code, performance.now());
  }

  answeredUnary(response: Answer): void {
    this.#unsent = response;
    // The signal fires once. Where it has, as after a shutdown, nothing tells when the response was serialized.
    if (!this.#call.signal.aborted || response.stream) return;
    setImmediate(() =>
      this.answered(trailerCode(response) || (isEncodable(this.#call, response.message) ? codeOk : Code.Internal)),
    );
  }

  writeFailed(error: unknown): void {
    if (isWriteToGonePeer(error)) this.#left();
    else this.answered(wireCode(error));
  }

  closing(): void {
    this.#closing = true;
  }

  /** The signal is aborted. */
  handleEvent(): void {
    const { reason } = this.#call.signal;
    // The caller of a call that the shutdown aborts is still there, and receives what the handler answers.
    if (this.#answered || this.#shutdown.isShutdown(reason)) return;
    if (this.#unsent !== undefined) this.#confirmSent(this.#unsent, reason);
    else if (isDeadline(reason)) this.#deadlinePassed();
    else if (isPeerGone(reason)) this.#left();
    else if (!(reason instanceof ConnectError)) this.#suspect();
  }

  /** A unary handler had finished when the signal was aborted: by Connect after sending, or since it could not send. */
  #confirmSent(response: Answer, reason: unknown): void {
    if (isPeerGone(reason) || isWriteToGonePeer(reason)) {
      this.#left();
    } else if (!(reason instanceof Error && reason.name === "AbortError")) {
      this.answered(wireCode(reason));
    } else if (isGrpc(this.#call)) {
      // The trailer holds the code that was sent, a moment later.
      setImmediate(() => this.answered(trailerCode(response)));
    } else {
      this.answered(codeOk);
    }
  }

  /** The caller has left, unless Connect closes the stream in this very moment. */
  #suspect(): void {
    const at = performance.now();
    this.#suspected = true;
    setImmediate(() => {
      this.#suspected = false;
      if (!this.#closing) this.#left(at);
    });
  }

  #deadlinePassed(): void {
    this.#events.callerLeft(Code.DeadlineExceeded, performance.now());
  }

  #left(at: number = performance.now()): void {
    this.#events.callerLeft(codeOfGonePeer(this.#call.header, at - this.#startedAt), at);
  }
}
