import { Code } from "@connectrpc/connect";

/**
 * What a server knows of a caller that left before it had its answer. Durations are in milliseconds, by one monotonic clock.
 */
export interface Leaving {
  /** The caller's deadline, or undefined without one. Most clients count it from before they connect. */
  readonly timeoutMs: number | undefined;
  /** From the arrival of the request to the leaving. */
  readonly elapsedMs: number;
  /**
   * - `reset`: the caller reset its stream
   * - `connection`: the connection ended, by whomever: HTTP/1.1 knows no other way, and a lost connection looks the same
   * - `unknown`: Node's view of the call is missing
   */
  readonly way: "reset" | "connection" | "unknown";
  /** The code of the reset, as HTTP/2 counts them. */
  readonly resetCode: number | undefined;
  /**
   * Connect's client for JavaScript seems to be at the other end: the request says so, no proxy has left its headers, and the
   * connection is one that Node's client makes.
   */
  readonly isConnectEs: boolean;
  /** How much of the deadline was over when the request arrived, as far as it was spent on a new connection. */
  readonly lostMs: number;
  /** By how much that may be wrong. */
  readonly lostErrorMs: number;
  /** Whether the time lost is a guess, since nothing told the round trip. */
  readonly isLostGuessed: boolean;
  /** How late this server's event loop may have seen the arrival or the leaving. */
  readonly loopDelayMs: number;
}

/** What the caller saw, and whether the evidence fits something else, too. */
export interface Verdict {
  readonly code: Code;
  readonly inferred: boolean;
}

/** A reset with which connect-node cancels. For its deadline, and for everything else, it sends 2. */
export const cancelCode = 8;
const noErrorCode = 0;
const internalErrorCode = 2;

/**
 * How long before its deadline, by this server's reckoning, a caller may leave because of it: 1 % of the deadline, for clocks
 * and timers that differ.
 */
function clockAllowanceOf(timeoutMs: number): number {
  return Math.min(Math.max(25, timeoutMs / 100), 300);
}

/**
 * How close to its deadline a caller leaves because of it, if nothing holds anybody up: timers never fire early, and seldom late.
 * The longer the deadline, the less likely is a cancellation in this span.
 */
const earliestOf = (timeoutMs: number): number => Math.min(timeoutMs / 400, 25);
const latestMs = 10;
/** An event loop that is less late than this is quiet: timers themselves are so late. */
const quietLoopMs = 10;
/**
 * Of shorter deadlines, the flag stays. A cancellation at 99 % comes 1 % of the deadline early, and this span begins at a 400th.
 * What lies between must be more than a quiet loop may hide: at 1 s it is 7.5 ms, at 2 s it is 15 ms.
 */
const shortestSureMs = 2_000;
/** How far before the slack a cancellation must be for the flag to be left out. */
const marginMs = 25;
/** gRPC's core in C rounds the deadline that it sends up to two or three digits, so by up to 1 %. It keeps its own. */
const roundingOf = (timeoutMs: number): number => timeoutMs / 100;

/**
 * Tells a deadline from a cancellation.
 *
 * The clock decides, with allowances for what the caller spent before its request arrived and for how late we may have seen
 * it. A reset code never decides alone: connect-node sends 2 for its deadline, but also for `abort(new Error())` and for
 * answers that it cannot read, and a proxy may send its own.
 */
export function judgeLeaving(leaving: Leaving): Verdict {
  const { timeoutMs, elapsedMs, way, resetCode, isConnectEs, lostMs, lostErrorMs, isLostGuessed, loopDelayMs } =
    leaving;
  // A connection that ends tells nothing of why. Nor does a reset that is neither a cancellation nor a deadline.
  const isOdd = way !== "reset" || (resetCode !== cancelCode && resetCode !== noErrorCode);
  if (timeoutMs === undefined) return { code: Code.Canceled, inferred: isOdd };
  // Where the leaving lies beside the deadline, on the caller's clock.
  const beside = elapsedMs + lostMs - timeoutMs;
  const slack = clockAllowanceOf(timeoutMs) + loopDelayMs;
  // A guess is generous already.
  const isBefore = beside < -(isLostGuessed ? slack : slack + lostErrorMs);
  const reach = Math.max(slack, roundingOf(timeoutMs)) + lostErrorMs + marginMs;
  if (isBefore) return { code: Code.Canceled, inferred: isOdd || beside >= -reach };
  const isCancelByCode = way === "reset" && isConnectEs && resetCode === cancelCode;
  if (isCancelByCode) return { code: Code.Canceled, inferred: true };
  const isSure =
    way === "reset" &&
    (resetCode === cancelCode || (isConnectEs && resetCode === internalErrorCode)) &&
    timeoutMs >= shortestSureMs &&
    beside >= -earliestOf(timeoutMs) &&
    beside <= latestMs &&
    lostErrorMs === 0 &&
    loopDelayMs < quietLoopMs;
  return { code: Code.DeadlineExceeded, inferred: !isSure };
}

/** What a server knows of an answer that it wrote near the caller's deadline. */
export interface NearAnswer {
  readonly timeoutMs: number;
  /** From the arrival of the request to the answer. */
  readonly answeredMs: number;
  readonly lostMs: number;
  readonly lostErrorMs: number;
  /** The round trip to the caller, or undefined if it is not known. */
  readonly rttMs: number | undefined;
  readonly loopDelayMs: number;
}

/** An answer so soon after the deadline is too late: it crosses the caller's leaving. A later one had a caller that waited. */
const crossingMs = 25;

/** Tells whether the caller had left when the answer came to it, though nothing of that was seen here. */
export function judgeAnswer(answer: NearAnswer): { readonly isTooLate: boolean; readonly inferred: boolean } {
  const { timeoutMs, answeredMs, lostMs, lostErrorMs, rttMs = 0, loopDelayMs } = answer;
  // The answer needs half a round trip, and the request needed the other half of what the caller's clock had run before.
  const beside = answeredMs + lostMs + rttMs - timeoutMs;
  const reach = crossingMs + rttMs + loopDelayMs + lostErrorMs;
  if (beside < -(reach + marginMs + roundingOf(timeoutMs))) return { isTooLate: false, inferred: false };
  // Long after the deadline, the caller does not keep it, or its reset has not come through yet.
  return { isTooLate: beside >= 0 && beside < reach, inferred: true };
}
