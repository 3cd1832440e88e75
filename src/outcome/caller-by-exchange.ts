import { channel } from "node:diagnostics_channel";
import { Code } from "@connectrpc/connect";
import { codeOk, wireCode } from "../contract/status.js";
import {
  type Answer,
  type Call,
  type CallerEvents,
  type CallerWatch,
  codeOfUnsendable,
  mayBeCancelled,
  trailerCode,
} from "./caller.js";
import { type Arrival, lostTimeOf } from "./connection-timing.js";
import type { Exchange, ExchangeListener } from "./exchange.js";
import { judgeAnswer, judgeLeaving, type Leaving, type Verdict } from "./leaving.js";
import { loopDelay } from "./loop-delay.js";
import { isConnectEs } from "./peer.js";

/**
 * Tells those who subscribe of each caller that left: `{ call, leaving, verdict }`, the evidence and what was made of it. For
 * whoever looks into statuses that are flagged.
 */
const leavings = channel("connect-session-activity:leaving");

/** Nearer to the deadline than this and 1 %, an answer may come too late: more than a new connection and round trip take. */
const nearMs = 3_000;

/** Watches the caller through Node's exchange, which tells exactly whether the answer went out. */
export function watchCallerByExchange(call: Call, exchange: Exchange, events: CallerEvents): CallerWatch {
  return new ExchangeWatch(call, exchange, events);
}

class ExchangeWatch implements CallerWatch, ExchangeListener {
  readonly #call: Call;
  readonly #exchange: Exchange;
  readonly #events: CallerEvents;
  #code: number | undefined;
  /** The caller left, or nobody asks any more. */
  #isOver = false;
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
    this.#exchange.onChange(this);
  }

  stop(): void {
    // What comes now is not the caller's doing: at a shutdown, the connection is cut after the event.
    this.#isOver = true;
  }

  answered(code: number): void {
    if (this.#code !== undefined) return;
    this.#code = code;
    this.#answeredAt = performance.now();
    this.changed();
  }

  answeredUnary(response: Answer): void {
    this.#unsent = response;
    this.#abortedBefore = this.#call.signal.aborted;
    this.#answeredAt = performance.now();
  }

  writeFailed(): void {}

  closing(): void {}

  lookAgain(): void {
    this.#exchange.lookAgain();
  }

  /** How far Node's exchange has come, or what is known of the answer. */
  changed(): void {
    const { state } = this.#exchange;
    if (state === "gone") {
      this.#left(performance.now());
      return;
    }
    if (state === "open") return;
    const code = this.#code ?? this.#codeOfUnary();
    if (code === undefined) return;
    const { isTooLate, inferred } = this.#judgeAnswer();
    if (isTooLate) this.#events.callerLeft(Code.DeadlineExceeded, this.#answeredAt, inferred);
    else if (state === "delivered" || !mayBeCancelled(this.#call, code)) {
      this.#events.callerReceived(code, this.#answeredAt, inferred);
    }
  }

  #left(now: number): void {
    // The handler's end comes here, too.
    if (this.#isOver) return;
    this.#isOver = true;
    const leaving = this.#leavingAt(now);
    const verdict: Verdict = judgeLeaving(leaving);
    if (leavings.hasSubscribers) leavings.publish({ call: this.#call, leaving, verdict });
    this.#events.callerLeft(verdict.code, now, verdict.inferred);
  }

  #leavingAt(now: number): Leaving {
    const { receivedAt, arrival, way, resetCode, takesPush } = this.#exchange;
    const isFromConnectEs = takesPush && isConnectEs(this.#call.header);
    const evidence = { elapsedMs: now - receivedAt, way, resetCode, isConnectEs: isFromConnectEs };
    if (arrival === undefined) return { ...evidence, ...noDeadline };
    const { timeoutMs } = arrival;
    return { ...evidence, timeoutMs, ...lostTimeOf(arrival, now), loopDelayMs: longestDelay(arrival, now) };
  }

  /** The unary answer is written: as what? */
  #codeOfUnary(): number | undefined {
    if (this.#unsent === undefined) return undefined;
    if (this.#exchange.isGrpc) return trailerCode(this.#unsent);
    // In the Connect protocol, the HTTP status tells an error, and Connect aborts the signal with it.
    if (this.#exchange.httpStatus === 200) return codeOk;
    if (!this.#abortedBefore) return wireCode(this.#call.signal.reason);
    return codeOfUnsendable(this.#call, this.#unsent.stream ? undefined : this.#unsent.message);
  }

  /** A caller that does not keep its own deadline gets an answer all the same, but not one that crosses its leaving. */
  #judgeAnswer(): ReturnType<typeof judgeAnswer> {
    const { receivedAt, arrival } = this.#exchange;
    const answeredMs = this.#answeredAt - receivedAt;
    if (arrival === undefined || answeredMs < 0.99 * arrival.timeoutMs - nearMs)
      return { isTooLate: false, inferred: false };
    const { timeoutMs } = arrival;
    const now = performance.now();
    return judgeAnswer({ timeoutMs, answeredMs, loopDelayMs: longestDelay(arrival, now), ...lostTimeOf(arrival, now) });
  }
}

const noDeadline = { timeoutMs: undefined, lostMs: 0, lostErrorMs: 0, isLostGuessed: false, loopDelayMs: 0 } as const;

function longestDelay(arrival: Arrival, now: number): number {
  return Math.max(arrival.loopDelayMs, loopDelay.recent(now));
}
