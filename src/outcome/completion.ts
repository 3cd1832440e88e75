import { Code } from "@connectrpc/connect";
import { type ActivityStatus, codeOk, statusName, unsettled } from "../contract/status.js";
import type { CallerEvents } from "./caller.js";

/** How a call ended. */
export interface Completion {
  /** What the caller received. */
  readonly status: ActivityStatus;
  /** How the handler ended. Empty if that is the same. */
  readonly handlerStatus: ActivityStatus | "";
  /** The evidence fits another status, too. */
  readonly inferred: boolean;
  /** When the caller's outcome was decided, on the clock of `performance.now()`. */
  readonly at: number;
}

/** Collects the two ends of a call, the handler's and the caller's, which come in any order. */
export interface CompletionLatch extends CallerEvents {
  /** The handler ran to its end. */
  handlerFinished(): void;
  /** The handler threw, with this code; `stopped` tells whether it did so because the call had been aborted. */
  handlerThrew(code: number, stopped: boolean): void;
  /** Connect closed the handler's stream before its end. */
  handlerStopped(): void;
  /** Stops waiting: what is not known by now is UNSETTLED. */
  abandon(): void;
}

/** Waits for the end of a call. An object, since a function for each call is one more to make. */
export interface EndListener {
  /** The call has ended so. Comes once. */
  ended(completion: Completion): void;
}

/**
 * Creates a latch that tells the listener once: when both ends are known, or when the handler has not ended `settleTimeoutMs`
 * after the caller's end.
 */
export function createCompletionLatch(settleTimeoutMs: number, listener: EndListener): CompletionLatch {
  return new Latch(settleTimeoutMs, listener);
}

/** A class, as the observer is one: an object of closures costs several microseconds of garbage collection per call. */
class Latch implements CompletionLatch {
  readonly #settleTimeoutMs: number;
  readonly #listener: EndListener;
  #ended = false;
  #callerStatus: ActivityStatus | undefined;
  #callerAt = 0;
  #callerLeft = false;
  #inferred = false;
  #handlerCode: number | undefined;
  #handlerStopped = false;
  #settleTimer: NodeJS.Timeout | undefined;

  constructor(settleTimeoutMs: number, listener: EndListener) {
    this.#settleTimeoutMs = settleTimeoutMs;
    this.#listener = listener;
  }

  callerReceived(code: number, at: number, inferred: boolean): void {
    this.#setCaller(code, at, inferred, false);
  }

  callerLeft(code: Code, at: number, inferred: boolean): void {
    this.#setCaller(code, at, inferred, true);
  }

  handlerFinished(): void {
    this.#setHandler(codeOk, false);
  }

  handlerThrew(code: number, stopped: boolean): void {
    this.#setHandler(code, stopped);
  }

  handlerStopped(): void {
    this.#setHandler(Code.Canceled, true);
  }

  abandon(): void {
    this.#end();
  }

  #setCaller(code: number, at: number, inferred: boolean, left: boolean): void {
    if (this.#callerStatus !== undefined || this.#ended) return;
    this.#callerStatus = statusName(code);
    this.#callerAt = at;
    this.#inferred = inferred;
    this.#callerLeft = left;
    if (this.#handlerCode !== undefined) this.#end();
    else this.#settleTimer = setTimeout(() => this.#end(), this.#settleTimeoutMs).unref();
  }

  #setHandler(code: number, stopped: boolean): void {
    if (this.#handlerCode !== undefined) return;
    this.#handlerCode = code;
    this.#handlerStopped = stopped;
    if (this.#callerStatus !== undefined) this.#end();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#settleTimer);
    const status = this.#callerStatus ?? unsettled;
    const at = this.#callerStatus === undefined ? performance.now() : this.#callerAt;
    const handlerStatus = this.#handlerStatus();
    const inferred = this.#inferred;
    this.#listener.ended({ status, handlerStatus: handlerStatus === status ? "" : handlerStatus, inferred, at });
  }

  #handlerStatus(): ActivityStatus {
    if (this.#handlerCode === undefined) return unsettled;
    // If the caller stayed, it received what the handler threw, whatever made it throw.
    return statusName(this.#callerLeft && this.#handlerStopped ? Code.Canceled : this.#handlerCode);
  }
}
