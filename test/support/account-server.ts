import * as http from "node:http";
import * as http2 from "node:http2";
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
import { listen, type RunningServer } from "./listen.js";

type AdapterOptions = Partial<Omit<ConnectNodeAdapterOptions, "routes">>;

/** Starts the account service on a free port, until the test is over. */
export async function startAccountServer(
  implementation: Partial<ServiceImpl<typeof AccountService>>,
  options: AdapterOptions = {},
  httpVersion: "1.1" | "2" = "2",
  routes: (router: ConnectRouter) => void = (router) => router.service(AccountService, implementation),
): Promise<RunningServer> {
  const handler = connectNodeAdapter({ ...options, routes });
  return listen(httpVersion === "2" ? http2.createServer(handler) : http.createServer(handler));
}

/** A client of the account service, until the test is over. */
export function accountClient(
  { baseUrl }: Pick<RunningServer, "baseUrl">,
  protocol: "connect" | "grpc" = "connect",
  httpVersion: "1.1" | "2" = "2",
): Client<typeof AccountService> {
  if (httpVersion === "1.1") {
    return createClient(AccountService, createConnectTransport({ baseUrl, httpVersion }));
  }
  const sessionManager = new Http2SessionManager(baseUrl);
  onTestFinished(() => sessionManager.abort());
  const createTransport = protocol === "grpc" ? createGrpcTransport : createConnectTransport;
  return createClient(AccountService, createTransport({ baseUrl, httpVersion: "2", sessionManager }));
}

/** The headers that a gateway sets. */
export function marks(context = "c2Vzc2lvbg", operation?: string): Record<string, string> {
  return {
    "x-session-track": "true",
    "x-session-context": context,
    ...(operation !== undefined && { "x-session-operation": operation }),
  };
}
