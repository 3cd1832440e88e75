import type { Server as HttpServer, IncomingMessage, ServerResponse } from "node:http";
import type { Http2SecureServer, Http2Server, ServerHttp2Session } from "node:http2";
import type { Server as HttpsServer } from "node:https";
import type { Socket } from "node:net";
import { wrongOption } from "../base/option-error.js";
import { isTrackValue, sessionHeaders } from "../contract/headers.js";
import { type Connection, connectionOn, noteConnection } from "../outcome/connection-timing.js";

/** A server of Node's own. */
export type NodeServer = HttpServer | HttpsServer | Http2Server | Http2SecureServer;

/** What `watch` takes: a server of Node's, or a fastify instance, which holds one. */
export type WatchableServer = NodeServer | FastifyLike;

/** The part of a fastify instance that is used. */
export interface FastifyLike {
  readonly server: NodeServer;
  close(): PromiseLike<unknown>;
}

/** How often idle connections are closed while a server stops. Node closes those that become idle later by no event. */
const sweepMs = 50;

/** How long connections that are new have for their first call while a server stops: it may be on its way. */
const silenceMs = 500;

/** A connection, as far as it is looked at. Node does not document these names: tests guard them. */
type OpenSocket = Socket & {
  /** HTTP/1.1: what reads the requests. Null if the connection was handed on, as for WebSockets. */
  readonly parser?: { readonly incoming: IncomingMessage | null } | null;
  /** HTTP/1.1: the response whose turn it is. */
  readonly _httpMessage?: ServerResponse | null;
  /** TLS: the connection below. */
  readonly _parent?: Socket;
};

/** One server, with its connections from their start to their end. */
export class WatchedServer {
  readonly #server: NodeServer;
  readonly #fastify: FastifyLike | undefined;
  /** All connections. With TLS, those below. */
  readonly #sockets: Set<OpenSocket> = new Set();
  /** With TLS, the connections whose handshake is over. */
  readonly #secured: Set<OpenSocket> = new Set();
  readonly #sessions: Set<ServerHttp2Session> = new Set();
  /** The connection whose first events are being handled. */
  #arriving: Connection | undefined;
  #onEnd: () => void = () => {};
  #stopped: Promise<void> | undefined;
  #isDestroyed = false;

  /** `onLate` is called if the server has connections already: these are not seen. */
  constructor(given: WatchableServer, onLate: () => void) {
    this.#fastify = isFastify(given) ? given : undefined;
    this.#server = isFastify(given) ? given.server : given;
    // First, since Node's own listeners begin HTTP/2 sessions.
    this.#server.prependListener("connection", (socket: OpenSocket) => this.#accepted(socket));
    this.#server.prependListener("secureConnection", (socket: OpenSocket) => this.#handshakeEnded(socket));
    this.#server.on("session", (session: ServerHttp2Session) => this.#sessionBegan(session));
    if (this.#server.listening) void this.#countUnseen().then((count) => count > 0 && onLate());
  }

  #accepted(socket: OpenSocket): void {
    this.#keep(this.#sockets, socket);
    const now = performance.now();
    this.#note(socket, { acceptedAt: now, readyAt: now, rttMs: undefined });
  }

  /** The handshake of TLS ends one round trip after it began. */
  #handshakeEnded(socket: OpenSocket): void {
    this.#keep(this.#secured, socket);
    const now = performance.now();
    const accepted = socket._parent && connectionOn(socket._parent);
    const acceptedAt = accepted?.acceptedAt ?? now;
    this.#note(socket, { acceptedAt, readyAt: now, rttMs: now - acceptedAt });
  }

  /** Node begins a session in the same turn in which it gets the connection. */
  #sessionBegan(session: ServerHttp2Session): void {
    this.#keep(this.#sessions, session);
    const connection = this.#arriving;
    if (connection === undefined) return;
    connection.readyAt = performance.now();
    noteConnection(session, connection);
    // One for each session, never waited for: nothing depends on the answer.
    if (session.destroyed) return;
    connection.pingedAt = connection.readyAt;
    session.ping((error, durationMs) => {
      if (error === null) connection.rttMs = durationMs;
    });
  }

  #note(socket: OpenSocket, connection: Connection): void {
    this.#arriving = connection;
    noteConnection(socket, connection);
  }

  /** Tells of each marked call, with its path, when its response is over. */
  onMarkedCall(listener: (path: string) => void): void {
    this.#server.on("request", ({ headers, url = "" }: IncomingMessage, response: ServerResponse) => {
      const track = headers[sessionHeaders.track];
      if (typeof track !== "string" || !isTrackValue(track)) return;
      response.once("close", () => listener(url.split("?", 1)[0]?.slice(0, 256) ?? ""));
    });
  }

  /** Takes no more connections and calls. Resolves when those that are open have ended. Never rejects. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop().catch(() => {});
    return this.#stopped;
  }

  /** Cuts connections without a call: those that were handed on, as for WebSockets, and those whose call has not fully come. */
  cutIdle(): void {
    for (const socket of this.#http1Sockets()) if (!socket._httpMessage) socket.destroy();
  }

  /** Cuts what is still open. */
  destroy(): void {
    this.#isDestroyed = true;
    for (const session of this.#sessions) session.destroy();
    for (const socket of [...this.#secured, ...this.#sockets]) socket.destroy();
    if ("closeAllConnections" in this.#server) this.#server.closeAllConnections();
  }

  async #stop(): Promise<void> {
    this.#finishResponses();
    this.#close();
    const silenceEnds = performance.now() + silenceMs;
    for (;;) {
      this.#closeIdle();
      if (performance.now() >= silenceEnds) this.#cutSilent();
      const isOver = this.#sockets.size === 0 && (await this.#countUnseen()) <= 0;
      if (isOver || this.#isDestroyed) return;
      await this.#nextSweep();
    }
  }

  /** HTTP/1.1: a response that says so is the last one on its connection. */
  #finishResponses(): void {
    const last = new WeakMap<Socket, ServerResponse>();
    const finish = (response: ServerResponse, socket: Socket): void => {
      if (response.headersSent || response.req?.httpVersionMajor !== 1) return;
      // A request that is pipelined has its answer after those before it.
      const before = last.get(socket);
      if (before?.headersSent === false) before.shouldKeepAlive = true;
      last.set(socket, response);
      // Not the header: Connect would wait for the rest of the request before it answers.
      response.shouldKeepAlive = false;
    };
    for (const socket of this.#http1Sockets()) {
      const response = socket._httpMessage;
      // If others are pipelined behind it, the connection is ended when it is idle.
      if (response && socket.parser?.incoming === response.req) finish(response, socket);
    }
    if (this.#server.listenerCount("request") === 0) return;
    const finishNew = ({ socket }: IncomingMessage, response: ServerResponse): void => finish(response, socket);
    this.#server.prependListener("request", finishNew);
  }

  #close(): void {
    if ("closeIdleConnections" in this.#server) {
      const closeIdle = this.#server.closeIdleConnections.bind(this.#server);
      // Node takes a response that is written for one that is sent, and so would cut off callers that read slowly.
      this.#server.closeIdleConnections = () => {
        if (!this.#http1Sockets().some(isSending)) closeIdle();
      };
    }
    // It may be about to listen.
    this.#server.on("listening", () => this.#server.close());
    if (this.#fastify === undefined) this.#server.close();
    else void Promise.resolve(this.#fastify.close()).catch(() => {});
  }

  #closeIdle(): void {
    // HTTP/2: no new calls, and the session ends with its last one. Only some versions of Node do this by themselves.
    for (const session of this.#sessions) if (!session.closed) session.close();
    // fastify first runs hooks of the user's, which may wait for this.
    if (this.#server.listening) this.#server.close();
    if ("closeIdleConnections" in this.#server) this.#server.closeIdleConnections();
  }

  /** Cuts connections that no call has come on. Node takes them for busy. */
  #cutSilent(): void {
    for (const socket of this.#http1Sockets()) if (socket.bytesRead === 0) socket.destroy();
    if (!("setSecureContext" in this.#server)) return;
    // With TLS, no call can have come before the end of the handshake.
    const done = new Set([...this.#secured].map(({ _parent }) => _parent));
    for (const socket of this.#sockets) if (!done.has(socket)) socket.destroy();
  }

  #http1Sockets(): OpenSocket[] {
    return [...this.#secured, ...this.#sockets].filter(({ parser }) => parser !== undefined);
  }

  /** How many connections are open that came before the server was watched. */
  #countUnseen(): Promise<number> {
    return new Promise((resolve) => {
      this.#server.getConnections((_, count) => resolve((count ?? 0) - this.#sockets.size));
    });
  }

  /** Resolves after a while, or when a connection has ended. */
  #nextSweep(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEnd = resolve;
      setTimeout(resolve, sweepMs);
    });
  }

  #keep<T extends Socket | ServerHttp2Session>(set: Set<T>, one: T): void {
    set.add(one);
    one.once("close", () => {
      set.delete(one);
      this.#onEnd();
    });
  }
}

/** Checks what was given to `watch`. Throws an `OptionError`. */
export function readServer(given: unknown): WatchableServer {
  if (isNodeServer(given) || isFastify(given)) return given;
  throw wrongOption("server", "an http, https or http2 server of Node's, or a fastify instance", given);
}

function isNodeServer(given: unknown): given is NodeServer {
  return hasMethods(given, ["on", "once", "prependListener", "close", "listen", "getConnections"]);
}

function isFastify(given: unknown): given is FastifyLike {
  return hasMethods(given, ["close"]) && "server" in given && isNodeServer(given.server);
}

function hasMethods(given: unknown, names: readonly string[]): given is object {
  if ((typeof given !== "object" && typeof given !== "function") || given === null) return false;
  return names.every((name) => typeof Reflect.get(given, name) === "function");
}

/** The response is written, and the caller has not read all of it. */
function isSending({ _httpMessage: response }: OpenSocket): boolean {
  return response?.writableEnded === true && !response.writableFinished;
}
