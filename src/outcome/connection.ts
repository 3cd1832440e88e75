import type { NodeRequest } from "./exchange.js";

/** When a connection came about. Moments are on the clock of `performance.now()`. */
export interface Connection {
  /** When the server accepted it. */
  readonly acceptedAt: number;
  /** When it could carry requests: after the handshake of TLS, and when the HTTP/2 session began. */
  readyAt: number;
  /** The round trip to the other end, in milliseconds: by the handshake of TLS or a PING. Undefined if nothing told. */
  rttMs: number | undefined;
}

/** By the socket of HTTP/1.1, or the session of HTTP/2. */
const connections = new WeakMap<object, Connection>();

/** Notes a connection that is seen from its start. */
export function noteConnection(carrier: object, connection: Connection): void {
  connections.set(carrier, connection);
}

/** How the time before a request's arrival was spent, as far as a new connection took it. */
export interface LostTime {
  readonly lostMs: number;
  readonly lostErrorMs: number;
  readonly rttMs: number | undefined;
}

const nothingLost: LostTime = { lostMs: 0, lostErrorMs: 0, rttMs: undefined };
const maxLostMs = 1_000;

/**
 * How much of a deadline its caller had spent on a new connection when the request arrived at `arrivedAt`.
 *
 * A new connection takes one round trip, or two with TLS. The server sees all but one of them: from accepting the connection to
 * the request. Clients that wait for the server's SETTINGS send what *remains* of their deadline, and have lost nothing; those
 * that send the whole one have their request in the first flight.
 */
export function lostTimeOf(request: NodeRequest, arrivedAt: number, timeoutMs: number): LostTime {
  const carrier = "stream" in request ? request.stream.session : request.socket;
  const connection = carrier === undefined ? undefined : connections.get(carrier);
  if (!isFirst(request)) return connection === undefined ? nothingLost : { ...nothingLost, rttMs: connection.rttMs };
  const guess = Math.min(Math.max(25, timeoutMs / 10), 250);
  if (connection === undefined) return { lostMs: guess, lostErrorMs: guess, rttMs: undefined };
  const { acceptedAt, readyAt, rttMs } = connection;
  const waited = arrivedAt - readyAt;
  if ("stream" in request && waited > firstFlightMs + (rttMs ?? 0) / 2) return { ...nothingLost, rttMs };
  const seen = Math.min(maxLostMs, arrivedAt - acceptedAt);
  if (rttMs === undefined) return { lostMs: Math.min(maxLostMs, seen + guess), lostErrorMs: guess, rttMs };
  const lostMs = Math.min(maxLostMs, seen + rttMs);
  return { lostMs, lostErrorMs: 5 + lostMs / 10, rttMs };
}

/** What is in the first flight arrives so soon after the session has begun. */
const firstFlightMs = 10;

/** Whether the request may be the first one on its connection. */
function isFirst(request: NodeRequest): boolean {
  if ("stream" in request) return (request.stream.id ?? 1) < 64;
  return request.socket.bytesWritten === 0;
}
