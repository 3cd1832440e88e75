// Not the global one: a test with fake timers must not stop what ends a call.
import { setImmediate } from "node:timers";
import { Code, ConnectError } from "@connectrpc/connect";
import { codeOk, wireCode } from "../contract/status.js";
import { readTimeoutMs } from "../contract/timeout.js";
import {
  type Answer,
  type Call,
  type CallerEvents,
  type CallerWatch,
  isEncodable,
  isGrpc,
  trailerCode,
} from "./caller.js";
import { guessOf } from "./connection-timing.js";
import { cancelCode, judgeAnswer, judgeLeaving } from "./leaving.js";
import { loopDelay } from "./loop-delay.js";
import { isAbortError, isDeadline, isPeerGone, isWriteToGonePeer } from "./peer.js";

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

/**
 * What the signal tells. Node keeps it until the next large garbage collection, though it was taken away, and it must not keep the
 * call with it.
 */
class AbortListener {
  #watch: SignalWatch | undefined;

  constructor(watch: SignalWatch) {
    this.#watch = watch;
  }

  handleEvent(): void {
    this.#watch?.aborted();
  }

  letGo(): void {
    this.#watch = undefined;
  }
}

class SignalWatch implements CallerWatch {
  readonly #call: Call;
  readonly #shutdown: KnownShutdown;
  readonly #events: CallerEvents;
  readonly #listener: AbortListener = new AbortListener(this);
  readonly #startedAt: number = performance.now();
  readonly #abortedBefore: boolean;
  readonly #arrivalDelayMs: number;
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
    this.#arrivalDelayMs = readTimeoutMs(call.header) === undefined ? 0 : loopDelay.recent(this.#startedAt);
  }

  start(): void {
    const { signal } = this.#call;
    if (!signal.aborted) signal.addEventListener("abort", this.#listener);
    // Since the call came: its mark had to be verified, or its start be noted.
    else if (!this.#abortedBefore) this.aborted();
    // Adapters are known to hand over calls whose signal is aborted though the caller waits: only the deadline counts.
    else if (isDeadline(signal.reason)) this.#deadlinePassed();
  }

  stop(): void {
    this.#call.signal.removeEventListener("abort", this.#listener);
    this.#listener.letGo();
  }

  answered(code: number): void {
    if (this.#answered || this.#suspected) return;
    this.#answered = true;
    const at = performance.now();
    const { isTooLate, inferred } = this.#judgeAnswer(at);
    if (isTooLate) this.#events.callerLeft(Code.DeadlineExceeded, at, inferred);
    else this.#events.callerReceived(code, at, inferred);
  }

  answeredUnary(response: Answer): void {
    this.#unsent = response;
    // The signal fires once. If it has, as after a shutdown, nothing tells when the response was serialized.
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

  lookAgain(): void {}

  /** The signal is aborted. */
  aborted(): void {
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
    } else if (!isAbortError(reason)) {
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

  /** Connect's own timer. A caller that keeps its deadline has left by now; one that does not will get an answer. */
  #deadlinePassed(): void {
    this.#events.callerLeft(Code.DeadlineExceeded, performance.now(), true);
  }

  #left(at: number = performance.now()): void {
    const timeoutMs = readTimeoutMs(this.#call.header);
    const isReset = isCancelReset(this.#call.signal.reason);
    const { code, inferred } = judgeLeaving({
      timeoutMs,
      elapsedMs: at - this.#startedAt,
      way: isReset ? "reset" : "unknown",
      resetCode: isReset ? cancelCode : undefined,
      isConnectEs: false,
      lostMs: 0,
      // Nothing tells whether the connection is new.
      lostErrorMs: timeoutMs === undefined ? 0 : guessOf(timeoutMs),
      isLostGuessed: false,
      loopDelayMs: this.#loopDelay(at, timeoutMs),
    });
    this.#events.callerLeft(code, at, inferred);
  }

  /** A shutdown aborts the signal once, and then nothing tells of a deadline that passes. */
  #judgeAnswer(at: number): ReturnType<typeof judgeAnswer> {
    const timeoutMs = readTimeoutMs(this.#call.header);
    if (timeoutMs === undefined) return { isTooLate: false, inferred: false };
    const answeredMs = at - this.#startedAt;
    if (answeredMs >= timeoutMs) return { isTooLate: true, inferred: true };
    const loopDelayMs = this.#loopDelay(at, timeoutMs);
    return judgeAnswer({ timeoutMs, answeredMs, lostMs: 0, lostErrorMs: 0, rttMs: undefined, loopDelayMs });
  }

  #loopDelay(at: number, timeoutMs: number | undefined): number {
    return timeoutMs === undefined ? 0 : Math.max(this.#arrivalDelayMs, loopDelay.recent(at));
  }
}

/** Connect makes CANCELED of a reset with this code only. */
function isCancelReset(reason: unknown): boolean {
  return reason instanceof ConnectError && reason.code === Code.Canceled;
}
