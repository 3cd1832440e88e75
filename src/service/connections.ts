import type { Server as HttpServer, IncomingMessage, ServerResponse } from "node:http";
import type { Http2SecureServer, Http2Server, ServerHttp2Session } from "node:http2";
import type { Server as HttpsServer } from "node:https";
import type { Socket } from "node:net";
import { wrongOption } from "../base/option-error.js";
import { isTrackValue, sessionHeaders } from "../contract/headers.js";
import { type Connection, noteConnection } from "../outcome/connection.js";

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

/** One server, with its connections from their start to their end. */
export class WatchedServer {
  readonly #server: NodeServer;
  readonly #fastify: FastifyLike | undefined;
  readonly #sockets: Set<Socket> = new Set();
  readonly #sessions: Set<ServerHttp2Session> = new Set();
  readonly #byPeer: Map<string, Connection> = new Map();
  /** The connection whose first events are being handled. */
  #arriving: Connection | undefined;
  #onEnd: () => void = () => {};
  #stopped: Promise<void> | undefined;

  constructor(given: WatchableServer) {
    this.#fastify = isFastify(given) ? given : undefined;
    this.#server = isFastify(given) ? given.server : given;
    // First, since Node's own listeners begin HTTP/2 sessions.
    this.#server.prependListener("connection", (socket: Socket) => this.#accepted(socket));
    this.#server.prependListener("secureConnection", (socket: Socket) => this.#secured(socket));
    this.#server.on("session", (session: ServerHttp2Session) => this.#begun(session));
  }

  #accepted(socket: Socket): void {
    const now = performance.now();
    this.#arriving = { acceptedAt: now, readyAt: now, rttMs: undefined };
    noteConnection(socket, this.#arriving);
    // The socket of TLS is another one, with the same peer.
    const peer = peerOf(socket);
    this.#byPeer.set(peer, this.#arriving);
    this.#keep(this.#sockets, socket);
    socket.once("close", () => this.#byPeer.delete(peer));
  }

  /** With TLS: its last step takes one round trip from the first. */
  #secured(socket: Socket): void {
    const now = performance.now();
    const acceptedAt = this.#byPeer.get(peerOf(socket))?.acceptedAt ?? now;
    this.#arriving = { acceptedAt, readyAt: now, rttMs: now - acceptedAt };
    noteConnection(socket, this.#arriving);
    this.#keep(this.#sockets, socket);
  }

  /** Node begins a session in the same turn in which it gets the connection. */
  #begun(session: ServerHttp2Session): void {
    this.#keep(this.#sessions, session);
    const connection = this.#arriving;
    if (connection === undefined) return;
    connection.readyAt = performance.now();
    noteConnection(session, connection);
    // One for each session, never waited for: nothing depends on the answer.
    if (!session.destroyed) {
      session.ping((error, durationMs) => {
        if (error === null) connection.rttMs = durationMs;
      });
    }
  }

  /** Tells of each marked call, with its path, when its response is over. */
  onMarkedCall(listener: (path: string) => void): void {
    this.#server.on("request", ({ headers, url = "" }: IncomingMessage, response: ServerResponse) => {
      const track = headers[sessionHeaders.track];
      if (typeof track !== "string" || !isTrackValue(track)) return;
      response.once("close", () => listener(url.split("?", 1)[0]?.slice(0, 256) ?? ""));
    });
  }

  /** Takes no more connections and calls. Resolves when those that are open have ended. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Cuts what is still open. */
  destroy(): void {
    for (const session of this.#sessions) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #stop(): Promise<void> {
    // HTTP/1.1: a response that says so is the last one on its connection.
    this.#server.prependListener("request", (_, response: ServerResponse) => endConnectionAfter(response));
    for (const socket of this.#sockets) endConnectionAfter(responseOn(socket));
    if (this.#fastify === undefined) this.#server.close();
    else void Promise.resolve(this.#fastify.close()).catch(() => {});
    for (;;) {
      this.#closeIdle();
      if (this.#sockets.size === 0) return;
      await this.#nextSweep();
    }
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

  #closeIdle(): void {
    // HTTP/2: no new calls, and the session ends with its last one. Only some versions of Node do this by themselves.
    for (const session of this.#sessions) if (!session.closed) session.close();
    if ("closeIdleConnections" in this.#server) this.#server.closeIdleConnections();
  }
}

/** Checks what was given to `watch`. Throws an `OptionError`. */
export function readServer(given: unknown): WatchableServer {
  if (isNodeServer(given) || isFastify(given)) return given;
  throw wrongOption("server", "an http, https or http2 server of Node's, or a fastify instance", given);
}

function isNodeServer(given: unknown): given is NodeServer {
  return hasMethods(given, ["on", "once", "prependListener", "close", "listen"]);
}

function isFastify(given: unknown): given is FastifyLike {
  return hasMethods(given, ["close"]) && "server" in given && isNodeServer(given.server);
}

function hasMethods(given: unknown, names: readonly string[]): given is object {
  if ((typeof given !== "object" && typeof given !== "function") || given === null) return false;
  return names.every((name) => typeof Reflect.get(given, name) === "function");
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function endConnectionAfter(response: ServerResponse | null | undefined): void {
  if (response && !response.headersSent && response.req?.httpVersionMajor === 1) {
    response.setHeader("connection", "close");
  }
}

/** The response that is open on a connection. Node keeps it under a name that is not documented: see outcome/exchange.ts. */
function responseOn(socket: Socket): ServerResponse | null | undefined {
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage;
}
