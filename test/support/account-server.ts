import * as http from "node:http";
import * as http2 from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { type Client, type ConnectRouter, createClient, type ServiceImpl } from "@connectrpc/connect";
import {
  type ConnectNodeAdapterOptions,
  connectNodeAdapter,
  createConnectTransport,
  createGrpcTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { onTestFinished } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";

export interface RunningServer {
  readonly port: number;
  readonly baseUrl: string;
  close(): Promise<void>;
}

type AdapterOptions = Partial<Omit<ConnectNodeAdapterOptions, "routes">>;

/** Starts the account service on a free port, until the test is over. */
export async function startAccountServer(
  implementation: Partial<ServiceImpl<typeof AccountService>>,
  options: AdapterOptions = {},
  httpVersion: "1.1" | "2" = "2",
  routes: (router: ConnectRouter) => void = (router) => router.service(AccountService, implementation),
): Promise<RunningServer> {
  const handler = connectNodeAdapter({ ...options, routes });
  const server = httpVersion === "2" ? http2.createServer(handler) : http.createServer(handler);
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  onTestFinished(close);
  return { port, baseUrl: `http://127.0.0.1:${port}`, close };
}

/** A client of the account service, until the test is over. */
export function accountClient(
  server: RunningServer,
  protocol: "connect" | "grpc" = "connect",
  httpVersion: "1.1" | "2" = "2",
): Client<typeof AccountService> {
  if (httpVersion === "1.1") {
    return createClient(AccountService, createConnectTransport({ baseUrl: server.baseUrl, httpVersion }));
  }
  const sessionManager = new Http2SessionManager(server.baseUrl);
  onTestFinished(() => sessionManager.abort());
  const createTransport = protocol === "grpc" ? createGrpcTransport : createConnectTransport;
  return createClient(AccountService, createTransport({ baseUrl: server.baseUrl, httpVersion: "2", sessionManager }));
}

/** The headers that a gateway sets. */
export function marks(context = "c2Vzc2lvbg", operation?: string): Record<string, string> {
  return {
    "x-session-track": "true",
    "x-session-context": context,
    ...(operation !== undefined && { "x-session-operation": operation }),
  };
}

/** Resolves when the condition holds, and fails when it does not within the time. */
export async function eventually(condition: () => boolean, withinMs = 10_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`this did not come true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
