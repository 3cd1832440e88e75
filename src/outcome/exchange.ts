import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2Session, ServerHttp2Stream } from "node:http2";
// Not the global one: a test with fake timers must not stop what ends a call.
import { setImmediate } from "node:timers";
import { type ContextKey, createContextKey } from "@connectrpc/connect";
import { type HeaderValues, isGrpcType } from "../contract/headers.js";
import { type Arrival, arrivalOf } from "./connection-timing.js";

/** Node's own request, as connect-node, express and fastify (`.raw`) hand it out. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;

/**
 * How far the HTTP exchange under a call has come.
 *
 * - `open`: the response is not written yet
 * - `written`: the response is written, and the caller's side had ended before: only the end tells whether it arrived
 * - `delivered`: the response went out
 * - `gone`: the caller left before that
 */
export type ExchangeState = "open" | "written" | "delivered" | "gone";

/** The HTTP exchange under a marked call: Node's view, which knows what an interceptor cannot see. */
export interface Exchange extends HeaderValues {
  /** Node's request. Its headers still hold the marks. Undefined when the exchange is over. */
  readonly request: NodeRequest | undefined;
  /** `performance.now()` when Node handed out the request. */
  readonly receivedAt: number;
  readonly state: ExchangeState;
  /** What was known at the arrival. Undefined without a deadline. */
  readonly arrival: Arrival | undefined;
  /** Whether the caller sent all of its request before it left. Known when it has left. */
  readonly isComplete: boolean;
  /** Whether this is gRPC or gRPC-Web. */
  readonly isGrpc: boolean;
  /** How the caller left. */
  readonly way: "reset" | "connection";
  /** The code of the reset by which the caller left. Undefined for HTTP/1.1. */
  readonly resetCode: number | undefined;
  /**
   * Whether the other end of an HTTP/2 session would take server push, as Node's own client would by default. Proxies switch it
   * off. Ask it when a caller has reset its stream.
   */
  readonly takesPush: boolean;
  /** The HTTP status of a response that is written. */
  readonly httpStatus: number;
  /** Whether an interceptor has seen the call. */
  reached: boolean;
  /** A header as the caller sent it: cheaper than Fetch headers. Null if there is none, and when the exchange is over. */
  get(name: string): string | null;
  /** Tells the listener of each change of the state, and now if it has changed before. There is room for one. */
  onChange(listener: ExchangeListener): void;
  /** Looks for an end that no event told: Node emits none if a stream is reset with NO_ERROR and nobody reads its request. */
  lookAgain(): void;
}

/** An object, since a function for each call is one more to make. */
export interface ExchangeListener {
  /** The state of the exchange has changed. */
  changed(): void;
}

/**
 * Where the interceptor's `contextValues` leaves the exchange for the interceptor. Private to this copy of the package: the
 * interceptor of another one has an exchange of its own, and counts by it.
 */
export const exchangeKey: ContextKey<Exchange | undefined> = createContextKey<Exchange | undefined>(undefined, {
  description: "connect-session-activity: HTTP exchange",
});

/** Where the response is written. */
type Outgoing = ServerHttp2Stream | ServerResponse;

/**
 * Watches the exchange of a request, and tells `onEnd` when it is over.
 *
 * Returns undefined if Node's response cannot be found: a request from a test harness, or a pipelined one whose turn
 * has not come.
 */
export function watchExchange(request: NodeRequest, onEnd: (exchange: Exchange) => void): Exchange | undefined {
  const outgoing = "stream" in request ? request.stream : responseOf(request);
  if (outgoing === undefined) return undefined;
  return new WatchedExchange(request, outgoing, onEnd);
}

/** A class with three plain listeners: closures, getters of an object and `once` take five times the memory per call. */
class WatchedExchange implements Exchange {
  request: NodeRequest | undefined;
  readonly receivedAt: number = performance.now();
  readonly arrival: Arrival | undefined;
  readonly isGrpc: boolean;
  isComplete = false;
  reached = false;
  readonly #outgoing: Outgoing;
  /** A stream that has ended does not tell its session any more. */
  readonly #session: Http2Session | undefined;
  readonly #onEnd: (exchange: Exchange) => void;
  #state: ExchangeState;
  #isAborted = false;
  #listener: ExchangeListener | undefined;

  constructor(request: NodeRequest, outgoing: Outgoing, onEnd: (exchange: Exchange) => void) {
    this.request = request;
    this.arrival = arrivalOf(request, this.receivedAt);
    this.isGrpc = isGrpcType(request.headers["content-type"]);
    this.#outgoing = outgoing;
    this.#session = "session" in outgoing ? outgoing.session : undefined;
    this.#onEnd = onEnd;
    // Middleware that waits before Connect sees the request may outlast the caller: then no event will come.
    this.#state = outgoing.closed || outgoing.destroyed ? "gone" : "open";
    // Each of these comes once.
    outgoing.on("close", () => this.#closed());
    if (!("rstCode" in outgoing)) return;
    outgoing.on("finish", () => this.#change(this.#isAborted ? "gone" : stateWhenWritten(outgoing)));
    // A caller may leave with NO_ERROR, and the stream then looks as if it had ended well. This tells, and maybe nothing else.
    outgoing.on("aborted", () => {
      this.#isAborted = true;
      setImmediate(() => this.#change("gone"));
    });
  }

  get state(): ExchangeState {
    return this.#state;
  }

  get way(): "reset" | "connection" {
    // The session outlives a reset. When the connection ends, the session has ended before its streams.
    return this.#session?.destroyed === false ? "reset" : "connection";
  }

  get resetCode(): number | undefined {
    return "rstCode" in this.#outgoing ? this.#outgoing.rstCode : undefined;
  }

  get takesPush(): boolean {
    return this.#session?.destroyed === false && this.#session.remoteSettings.enablePush === true;
  }

  get httpStatus(): number {
    const outgoing = this.#outgoing;
    return "rstCode" in outgoing ? Number(outgoing.sentHeaders?.[":status"]) : outgoing.statusCode;
  }

  onChange(listener: ExchangeListener): void {
    if (this.#state === "open" || this.#state === "written") this.#listener = listener;
    if (this.#state !== "open") listener.changed();
  }

  get(name: string): string | null {
    const value = this.request?.headers[name];
    return typeof value === "string" ? value : null;
  }

  lookAgain(): void {
    // A session that ends closes its streams in the same turn, so that asking the stream is enough.
    if (this.#outgoing.closed) this.#closed();
  }

  /** HTTP/1.1: `close` comes after `finish`, or instead of it. */
  #closed(): void {
    const { writableFinished } = this.#outgoing;
    const isReset = "rstCode" in this.#outgoing && (this.#outgoing.rstCode !== 0 || this.#isAborted);
    this.#change(writableFinished && !isReset ? "delivered" : "gone");
  }

  #change(to: ExchangeState): void {
    if (this.#state !== "open" && this.#state !== "written") return;
    this.#state = to;
    if (to === "gone") this.isComplete = this.#isRequestComplete();
    this.#listener?.changed();
    if (to === "written") return;
    this.#onEnd(this);
    // Node's stream lives on until the next large garbage collection, and what it refers to with it. Without this, that is the
    // whole call: on a busy server, copying it cost about as much as all else that is done for a call.
    this.#listener = undefined;
    this.request = undefined;
  }

  #isRequestComplete(): boolean {
    const { request } = this;
    if (request === undefined) return false;
    return "stream" in request ? request.stream.readableEnded && !this.#isAborted : request.complete;
  }
}

/**
 * HTTP/2: all is written. A caller that cancels while we read first ends its side, so that the handler sees a normal end,
 * and resets the stream a moment later: if its side has ended, this is not the end. If it has not, a reset after
 * this comes from a caller that has the response and needs to send no more.
 */
function stateWhenWritten(stream: ServerHttp2Stream): ExchangeState {
  if (stream.rstCode !== 0) return "gone";
  return stream.readableEnded ? "written" : "delivered";
}

/** Node's response to this request. Node keeps it on the socket, under a name that is not documented: a test guards it. */
function responseOf(request: IncomingMessage): ServerResponse | undefined {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const response = (request.socket as { _httpMessage?: ServerResponse } | undefined)?._httpMessage;
  return response?.req === request ? response : undefined;
}
