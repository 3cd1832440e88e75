import { parseTimeoutMs, timeoutHeaders } from "../contract/timeout.js";
import type { NodeRequest } from "./exchange.js";
import { loopDelay } from "./loop-delay.js";

/** When a connection came about. Moments are on the clock of `performance.now()`. */
export interface Connection {
  /** When the server accepted it. */
  readonly acceptedAt: number;
  /** When it could carry requests: after the handshake of TLS, and when the HTTP/2 session began. */
  readyAt: number;
  /** The round trip to the other end, in milliseconds: by the handshake of TLS or a PING. Undefined if nothing told. */
  rttMs: number | undefined;
  /** When a PING went out. Until it is answered, the round trip is longer than the time since then. */
  pingedAt?: number;
}

/** By the socket of HTTP/1.1, or the session of HTTP/2. */
const connections = new WeakMap<object, Connection>();

/** Notes a connection that is seen from its start. */
export function noteConnection(carrier: object, connection: Connection): void {
  connections.set(carrier, connection);
}

/** The connection of a socket or session, if it was seen from its start. */
export function connectionOn(carrier: object): Connection | undefined {
  return connections.get(carrier);
}

/** What is known of a call with a deadline at its arrival, and not any more when its caller leaves. */
export interface Arrival {
  /** The deadline. */
  readonly timeoutMs: number;
  /** On the clock of `performance.now()`. */
  readonly at: number;
  /** Undefined if the connection is not watched. */
  readonly connection: Connection | undefined;
  /** Whether it may have come with a new connection: it is the first one, or one of the first. */
  readonly isEarly: boolean;
  /** How late the event loop may have seen it, in milliseconds. */
  readonly loopDelayMs: number;
}

/** Notes the arrival of a request. Undefined if it has no deadline. */
export function arrivalOf(request: NodeRequest, at: number): Arrival | undefined {
  const timeoutMs = parseTimeoutMs(request.headers[timeoutHeaders.connect], request.headers[timeoutHeaders.grpc]);
  if (timeoutMs === undefined) return undefined;
  const loopDelayMs = loopDelay.recent(at);
  if ("stream" in request) {
    const { id = 1, session } = request.stream;
    const connection = session === undefined ? undefined : connections.get(session);
    return { timeoutMs, at, connection, loopDelayMs, isEarly: connection !== undefined || id === 1 };
  }
  // Nothing was answered on this connection before.
  const isEarly = request.socket.bytesWritten === 0;
  return { timeoutMs, at, connection: connections.get(request.socket), loopDelayMs, isEarly };
}

/** How the time before a request's arrival was spent, as far as a new connection took it. In milliseconds. */
export interface LostTime {
  readonly lostMs: number;
  /** By how much that may be wrong. */
  readonly lostErrorMs: number;
  /** Whether the time lost is a guess, since nothing told the round trip. */
  readonly isLostGuessed: boolean;
  /** The round trip to the caller, or undefined if it is not known. */
  readonly rttMs: number | undefined;
}

const maxLostMs = 1_000;
/** What is in the first flight arrives so soon after the session has begun. */
const firstFlightMs = 10;
/**
 * The round trip, if the caller left before it could answer a PING. Who leaves so soon has more likely spent a short deadline on
 * the connection than changed its mind.
 */
const longRttMs = 250;

/**
 * How much of a deadline its caller had spent on a new connection when the request arrived. `now` is when the caller left.
 *
 * A new connection takes one round trip, or two with TLS. The server sees all but one of them: from accepting the connection to
 * the request. Clients that wait for the server's SETTINGS send what *remains* of their deadline, and have lost nothing. Those
 * that send the whole one have their request in the first flight.
 *
 * An event loop that is held up sees the connection, the handshake and the request late, one after the other. The delay of the
 * request is allowed for with every call. Here come the two before it.
 */
export function lostTimeOf(arrival: Arrival, now: number): LostTime {
  const { timeoutMs, at, connection, isEarly, loopDelayMs } = arrival;
  const rttMs = connection?.rttMs;
  if (!isEarly) return nothingLost(rttMs);
  const hiddenMs = 2 * loopDelayMs;
  const guess = guessOf(timeoutMs);
  if (connection === undefined) return guessed(guess + hiddenMs, guess + hiddenMs);
  if (at - connection.readyAt > firstFlightMs + (rttMs ?? 0) / 2 + loopDelayMs) return nothingLost(rttMs);
  const seen = at - connection.acceptedAt;
  if (rttMs === undefined) {
    const { pingedAt } = connection;
    const rttGuess = (pingedAt === undefined ? guess : Math.max(longRttMs, now - pingedAt)) + hiddenMs;
    return guessed(seen + rttGuess, rttGuess);
  }
  const lostMs = Math.min(maxLostMs, seen + rttMs);
  return { lostMs, lostErrorMs: 5 + lostMs / 10 + hiddenMs, isLostGuessed: false, rttMs };
}

/** How much of a deadline a new connection may have taken, if nothing tells. In milliseconds. */
export function guessOf(timeoutMs: number): number {
  return Math.min(Math.max(25, timeoutMs / 10), 250);
}

function nothingLost(rttMs: number | undefined): LostTime {
  return { lostMs: 0, lostErrorMs: 0, isLostGuessed: false, rttMs };
}

function guessed(lostMs: number, errorMs: number): LostTime {
  const [most, error] = [Math.min(maxLostMs, lostMs), Math.min(maxLostMs, errorMs)];
  return { lostMs: most, lostErrorMs: error, isLostGuessed: true, rttMs: undefined };
}
