import { Code } from "@connectrpc/connect";
import { codeOk, wireCode } from "../contract/status.js";
import {
  type Answer,
  type Call,
  type CallerEvents,
  type CallerWatch,
  codeOfUnsendable,
  isGrpc,
  mayBeCancelled,
  trailerCode,
} from "./caller.js";
import type { Exchange } from "./exchange.js";
import { codeOfGonePeer, isDeadline, timeoutMs } from "./peer.js";

/** An answer so soon after the deadline is too late: the caller's clock, which started before ours, has run out, too. */
const deadlineGraceMs = 25;

/** Watches the caller through Node's exchange, which tells exactly whether the answer went out. */
export function watchCallerByExchange(call: Call, exchange: Exchange, events: CallerEvents): CallerWatch {
  return new ExchangeWatch(call, exchange, events);
}

class ExchangeWatch implements CallerWatch {
  readonly #call: Call;
  readonly #exchange: Exchange;
  readonly #events: CallerEvents;
  #code: number | undefined;
  #answeredAt = 0;
  /** A unary answer, as long as nobody knows whether it could be serialized. */
  #unsent: Answer | undefined;
  /** The signal was aborted before the unary answer, so that its reason says nothing about it. */
  #abortedBefore = false;

  constructor(call: Call, exchange: Exchange, events: CallerEvents) {
    this.#call = call;
    this.#exchange = exchange;
    this.#events = events;
  }

  start(): void {
    this.#exchange.onChange(() => this.#changed());
  }

  stop(): void {}

  answered(code: number): void {
    if (this.#code !== undefined) return;
    this.#code = code;
    this.#answeredAt = performance.now();
    this.#changed();
  }

  answeredUnary(response: Answer): void {
    this.#unsent = response;
    this.#abortedBefore = this.#call.signal.aborted;
    this.#answeredAt = performance.now();
  }

  writeFailed(): void {}

  closing(): void {}

  #changed(): void {
    const { state, receivedAt } = this.#exchange;
    if (state === "gone") {
      const now = performance.now();
      this.#events.callerLeft(codeOfGonePeer(this.#call.header, now - receivedAt), now);
      return;
    }
    if (state === "open") return;
    const code = this.#code ?? this.#codeOfUnary();
    if (code === undefined) return;
    if (this.#isTooLate()) this.#events.callerLeft(Code.DeadlineExceeded, this.#answeredAt);
    else if (state === "delivered" || !mayBeCancelled(this.#call, code)) {
      this.#events.callerReceived(code, this.#answeredAt);
    }
  }

  /** The unary answer is written: as what? */
  #codeOfUnary(): number | undefined {
    if (this.#unsent === undefined) return undefined;
    if (isGrpc(this.#call)) return trailerCode(this.#unsent);
    // In the Connect protocol, the HTTP status tells an error, and Connect aborts the signal with it.
    if (this.#exchange.httpStatus === 200) return codeOk;
    if (!this.#abortedBefore) return wireCode(this.#call.signal.reason);
    return codeOfUnsendable(this.#call, this.#unsent.stream ? undefined : this.#unsent.message);
  }

  /** A caller that does not keep its own deadline gets an answer all the same, but not one that crosses its leaving. */
  #isTooLate(): boolean {
    if (!isDeadline(this.#call.signal.reason)) return false;
    const late = this.#answeredAt - this.#exchange.receivedAt - timeoutMs(this.#call.header);
    return late >= 0 && late < deadlineGraceMs;
  }
}
