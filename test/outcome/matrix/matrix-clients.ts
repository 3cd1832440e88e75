import { readFileSync } from "node:fs";
import { Agent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { connect, type Socket } from "node:net";
import { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import * as grpc from "@grpc/grpc-js";
import { AccountService, LoginResponseSchema } from "../../../gen/example/account/v1/account_pb.js";
import { type ClientBehaviour, deadlineMs, readMaxBytes } from "./endings.js";
import type { Kind } from "./kinds.js";

const manifest = new URL("../../../node_modules/@connectrpc/connect/package.json", import.meta.url);
const { version }: { version: string } = JSON.parse(readFileSync(manifest, "utf8"));
const [major = 0, minor = 0] = version.split(".").map(Number);

/**
 * Whether Connect's client resets a stream whose loop it leaves, so that the server sees a cancellation. Its documentation says
 * so from 2.3 on; before, it let the stream run to its end.
 */
const resetsWhenLeavingLoop = major > 2 || minor >= 3;

/** A client of one kind, over one protocol and HTTP version. */
export interface TestClient {
  /**
   * Makes one call and resolves to the code that it ended with: 0 is OK. Cancelling and cutting wait until the handler has
   * `begun`: what ends before the server has the call is no call.
   */
  call(kind: Kind, headers: Record<string, string>, behaviour: ClientBehaviour, begun: Promise<void>): Promise<number>;
  close(): void;
}

export interface Wire {
  readonly name: string;
  readonly httpVersion: "1.1" | "2";
  readonly tls: boolean;
  readonly kinds: readonly Kind[];
  connect(port: number): TestClient;
}

const halfDuplex: readonly Kind[] = ["unary", "client_streaming", "server_streaming"];
const all: readonly Kind[] = [...halfDuplex, "bidi_streaming"];

export const wires: readonly Wire[] = [
  wire("connect", "1.1", halfDuplex, createConnectTransport),
  wire("connect json", "1.1", halfDuplex, (options) => createConnectTransport({ ...options, useBinaryFormat: false })),
  wire("connect", "2", all, createConnectTransport),
  wire("connect json", "2", all, (options) => createConnectTransport({ ...options, useBinaryFormat: false })),
  wire("grpc", "2", all, createGrpcTransport),
  wire("grpc-web", "1.1", halfDuplex, createGrpcWebTransport),
  wire("grpc-web", "2", all, createGrpcWebTransport),
  { name: "grpc-js", httpVersion: "2", tls: false, kinds: all, connect: (port) => connectGrpcJs(port, false) },
];

/** The wires by which callers leave in more ways: see leaving-endings.ts. */
export const leavingWires: readonly Wire[] = [
  wire("connect", "1.1", halfDuplex, createConnectTransport),
  wire("connect", "2", halfDuplex, createConnectTransport),
  wire("grpc", "2", halfDuplex, createGrpcTransport),
  wire("connect", "1.1", halfDuplex, createConnectTransport, true),
  wire("grpc-web", "2", halfDuplex, createGrpcWebTransport, true),
  wire("grpc", "2", halfDuplex, createGrpcTransport, true),
  ...(["1.1", "2"] as const).map((httpVersion) => ({
    ...wire("connect by GET", httpVersion, ["unary"], createGetTransport),
  })),
  { name: "grpc-js", httpVersion: "2", tls: false, kinds: halfDuplex, connect: (port) => connectGrpcJs(port, false) },
  {
    name: "grpc-js with TLS",
    httpVersion: "2",
    tls: true,
    kinds: halfDuplex,
    connect: (port) => connectGrpcJs(port, true),
  },
];

/** Sends the one method without side effects by GET. */
function createGetTransport(options: TransportOptions): Transport {
  const transport = createConnectTransport({ ...options, useHttpGet: true });
  return {
    ...transport,
    unary: (_, signal, timeoutMs, header, __, contextValues) =>
      transport.unary(AccountService.method.getProfile, signal, timeoutMs, header, {}, contextValues) as never,
  };
}

type TransportOptions = Parameters<typeof createGrpcTransport>[0] & Parameters<typeof createConnectTransport>[0];

function wire(
  name: string,
  httpVersion: "1.1" | "2",
  wireKinds: readonly Kind[],
  createTransport: (options: TransportOptions) => Transport,
  tls = false,
): Wire {
  return {
    name: `${name} over HTTP/${httpVersion}${tls ? " with TLS" : ""}`,
    httpVersion,
    tls,
    kinds: wireKinds,
    connect: (port) => connectNodeClient(port, httpVersion, tls, createTransport),
  };
}

function connectNodeClient(
  port: number,
  httpVersion: "1.1" | "2",
  tls: boolean,
  createTransport: (options: TransportOptions) => Transport,
): TestClient {
  const baseUrl = `${tls ? "https" : "http"}://127.0.0.1:${port}`;
  const closers: (() => void)[] = [];

  /** A connection that can be cut; the others share one. */
  function open(limit: { readMaxBytes?: number } = {}): { transport: Transport; cut(): void } {
    const sockets = new Set<Socket>();
    const createConnection = (): Socket => {
      const to = { port, host: "127.0.0.1", rejectUnauthorized: false };
      const socket = tls
        ? connectTls({ ...to, ALPNProtocols: [httpVersion === "2" ? "h2" : "http/1.1"] })
        : connect(to);
      socket.on("error", () => {});
      sockets.add(socket);
      return socket;
    };
    const cut = (): void => {
      for (const socket of sockets) socket.destroy();
    };
    closers.push(cut);
    if (httpVersion === "2") {
      const sessionManager = new Http2SessionManager(baseUrl, {}, { createConnection });
      closers.push(() => sessionManager.abort());
      return { transport: createTransport({ baseUrl, httpVersion, sessionManager, ...limit }), cut };
    }
    const agent = new (tls ? HttpsAgent : Agent)({ keepAlive: true });
    Object.assign(agent, { createConnection });
    return { transport: createTransport({ baseUrl, httpVersion, nodeOptions: { agent }, ...limit }), cut };
  }

  const shared = open();
  return {
    async call(kind, headers, behaviour, begun) {
      const { transport, cut } = sharesConnection(behaviour)
        ? shared
        : open(behaviour.answer === "over the limit" ? { readMaxBytes } : {});
      const cancel = new AbortController();
      const leave = cancelLater(behaviour, begun, cancel);
      after(begun, behaviour.cutAfterMs, cut);
      const done = new AbortController();
      const client = createClient(
        AccountService,
        behaviour.answer === "unreadable" ? misreading(transport) : transport,
      );
      const options = { headers, signal: cancel.signal, timeoutMs: behaviour.timeoutMs ?? 0 };
      const requests = send(behaviour, AbortSignal.any([done.signal, cancel.signal]));
      try {
        if (kind === "unary") await client.changePassword({}, withoutUnsetTimeout(options));
        else if (kind === "client_streaming") await client.importDevices(requests, withoutUnsetTimeout(options));
        else if (kind === "server_streaming")
          await read(client.watchSessions({}, withoutUnsetTimeout(options)), behaviour);
        else await read(client.syncDevices(requests, withoutUnsetTimeout(options)), behaviour);
        return behaviour.read === "first" && resetsWhenLeavingLoop ? Code.Canceled : 0;
      } catch (error) {
        return ConnectError.from(error).code;
      } finally {
        done.abort();
        clearTimeout(leave);
      }
    },
    close() {
      for (const close of closers) close();
    },
  };
}

/** Cancels when the behaviour says so. Gives the timer that may be cleared when the call is over. */
function cancelLater(
  { cancelAfterMs, cancelAtMs, reason }: ClientBehaviour,
  begun: Promise<void>,
  controller: AbortController,
): NodeJS.Timeout | undefined {
  after(begun, cancelAfterMs, () => controller.abort(reason));
  return cancelAtMs === undefined ? undefined : setTimeout(() => controller.abort(reason), cancelAtMs);
}

function sharesConnection({ cutAfterMs, cold, answer }: ClientBehaviour): boolean {
  return cutAfterMs === undefined && cold !== true && answer !== "over the limit";
}

/** A transport that takes every answer for a message of another type: its first field is a text there, and a number here. */
function misreading(transport: Transport): Transport {
  const misread = <Method extends DescMethod>(method: Method): Method => ({ ...method, output: LoginResponseSchema });
  return {
    unary: (method, ...rest) => transport.unary(misread(method), ...rest) as never,
    stream: (method, ...rest) => transport.stream(misread(method), ...rest) as never,
  };
}

function after(begun: Promise<void>, ms: number | undefined, run: () => void): void {
  if (ms !== undefined) void begun.then(() => setTimeout(run, ms));
}

function withoutUnsetTimeout<T extends { timeoutMs: number }>(options: T): Omit<T, "timeoutMs"> | T {
  const { timeoutMs, ...rest } = options;
  return timeoutMs > 0 ? options : rest;
}

async function* send(behaviour: ClientBehaviour, over: AbortSignal): AsyncIterable<{ deviceId: string }> {
  yield { deviceId: "phone" };
  // Not for ever: over HTTP/1.1, Connect 2.3 has its answer only when all of the request is sent.
  if (behaviour.keepSending) await sleep(deadlineMs, undefined, { signal: over, ref: false }).catch(() => {});
}

async function read(messages: AsyncIterable<unknown>, behaviour: ClientBehaviour): Promise<void> {
  for await (const _ of messages) {
    if (behaviour.read === "first") return;
    if (behaviour.read === "stall") await sleep(deadlineMs + 100);
  }
}

const grpcMethods = {
  unary: AccountService.method.changePassword,
  client_streaming: AccountService.method.importDevices,
  server_streaming: AccountService.method.watchSessions,
  bidi_streaming: AccountService.method.syncDevices,
} as const;

type GrpcArguments = [
  grpc.Client,
  string,
  (message: object) => Buffer,
  (bytes: Buffer) => unknown,
  grpc.Metadata,
  object,
];
type Done = (error: grpc.ServiceError | null) => void;

function startGrpcCall(kind: Kind, [client, path, encode, decode, metadata, options]: GrpcArguments, done: Done) {
  switch (kind) {
    case "unary":
      return client.makeUnaryRequest(path, encode, decode, {}, metadata, options, done);
    case "client_streaming":
      return client.makeClientStreamRequest(path, encode, decode, metadata, options, done);
    case "server_streaming":
      return client.makeServerStreamRequest(path, encode, decode, {}, metadata, options);
    case "bidi_streaming":
      return client.makeBidiStreamRequest(path, encode, decode, metadata, options);
  }
}

function callGrpc(kind: Kind, args: GrpcArguments, behaviour: ClientBehaviour, begun: Promise<void>): Promise<number> {
  return new Promise((resolve) => {
    const call = startGrpcCall(kind, args, (error) => resolve(error?.code ?? 0));
    after(begun, behaviour.cancelAfterMs ?? behaviour.cutAfterMs, () => call.cancel());
    if (behaviour.cancelAtMs !== undefined) setTimeout(() => call.cancel(), behaviour.cancelAtMs);
    if (call instanceof Writable) {
      call.write({ deviceId: "phone" });
      if (!behaviour.keepSending) call.end();
    }
    if (call instanceof Readable) {
      call.on("error", (error: Error & { code?: number }) => resolve(error.code ?? -1));
      call.on("status", (status: grpc.StatusObject) => resolve(status.code));
      call.on("data", () => {
        if (behaviour.read === "stall") call.pause();
      });
    }
  });
}

/** Google's own client, which shares no code with Connect. It cannot cut a connection: it cancels instead. */
function connectGrpcJs(port: number, tls: boolean): TestClient {
  const secrets = tls
    ? grpc.credentials.createSsl(null, null, null, { rejectUnauthorized: false })
    : grpc.credentials.createInsecure();
  // From Node 26 on, an address cannot be the name that TLS asks for, and grpc-js would take it for that.
  const always = { "grpc.use_local_subchannel_pool": 1, "grpc.ssl_target_name_override": "localhost" };
  const clients: grpc.Client[] = [];
  function open(options: grpc.ClientOptions = {}): grpc.Client {
    const client = new grpc.Client(`127.0.0.1:${port}`, secrets, { ...always, ...options });
    clients.push(client);
    return client;
  }
  const shared = open();
  return {
    call(kind, headers, behaviour, begun) {
      const { input, output, name, parent }: DescMethod = grpcMethods[kind];
      const metadata = new grpc.Metadata();
      for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
      const encode = (message: object): Buffer =>
        Buffer.from(toBinary(input, create(input, message as MessageInitShape<DescMessage>)));
      const expected = behaviour.answer === "unreadable" ? LoginResponseSchema : output;
      const decode = (bytes: Buffer): unknown => fromBinary(expected, bytes);
      const isLimited = behaviour.answer === "over the limit";
      const client = sharesConnection(behaviour)
        ? shared
        : open(isLimited ? { "grpc.max_receive_message_length": readMaxBytes } : {});
      const options = behaviour.timeoutMs === undefined ? {} : { deadline: Date.now() + behaviour.timeoutMs };
      return callGrpc(
        kind,
        [client, `/${parent.typeName}/${name}`, encode, decode, metadata, options],
        behaviour,
        begun,
      );
    },
    close() {
      for (const client of clients) client.close();
    },
  };
}
