import { Code } from "@connectrpc/connect";
import { statusName, unsettled } from "./status.js";

/** How a call ended. */
export interface Completion {
  /** What the caller received. */
  readonly status: string;
  /** How the handler ended, or empty where that is the same. */
  readonly handlerStatus: string;
  /** When the caller's outcome was decided, on the clock of `performance.now()`. */
  readonly at: number;
}

/** Collects the two ends of a call, the handler's and the caller's, which come in any order. */
export interface CompletionLatch {
  /** Whether the caller's end is known. */
  readonly callerEnded: boolean;
  /** The caller received the answer with this code. */
  callerReceived(code: number, at: number): void;
  /** The caller left before it received an answer. */
  callerLeft(code: Code, at: number): void;
  /** The handler ran to its end. */
  handlerFinished(): void;
  /** The handler threw, with this code. `stopped` tells in the end whether it did so because the call was aborted. */
  handlerThrew(code: number, stopped: () => boolean): void;
  /** Connect closed the handler's stream before its end. */
  handlerStopped(): void;
  /** Stops waiting: what is not known by now is UNSETTLED. */
  abandon(): void;
}

/**
 * Creates a latch that calls `onEnd` once: when both ends are known, or when the handler has not ended `settleTimeoutMs`
 * after the caller's end.
 */
export function createCompletionLatch(
  settleTimeoutMs: number,
  onEnd: (completion: Completion) => void,
): CompletionLatch {
  let ended = false;
  let caller: { status: string; at: number; left: boolean } | undefined;
  let handlerStatus: ((callerLeft: boolean) => string) | undefined;
  let settleTimer: NodeJS.Timeout | undefined;

  function end(): void {
    if (ended) return;
    ended = true;
    clearTimeout(settleTimer);
    const status = caller?.status ?? unsettled;
    const ofHandler = handlerStatus?.(caller?.left ?? false) ?? unsettled;
    onEnd({ status, handlerStatus: ofHandler === status ? "" : ofHandler, at: caller?.at ?? performance.now() });
  }

  function setCaller(code: number, at: number, left: boolean): void {
    if (caller !== undefined || ended) return;
    caller = { status: statusName(code), at, left };
    if (handlerStatus !== undefined) end();
    else settleTimer = setTimeout(end, settleTimeoutMs).unref();
  }

  function setHandler(status: (callerLeft: boolean) => string): void {
    handlerStatus ??= status;
    if (caller !== undefined) end();
  }

  return {
    get callerEnded() {
      return caller !== undefined || ended;
    },
    callerReceived: (code, at) => setCaller(code, at, false),
    callerLeft: (code, at) => setCaller(code, at, true),
    handlerFinished: () => setHandler(() => "OK"),
    handlerThrew: (code, stopped) =>
      setHandler((callerLeft) => statusName(callerLeft && stopped() ? Code.Canceled : code)),
    handlerStopped: () => setHandler(() => statusName(Code.Canceled)),
    abandon: end,
  };
}
