import * as http from "node:http";
import * as http2 from "node:http2";
import * as https from "node:https";
import type { ConnectRouter, ContextValues, HandlerContext, Interceptor } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { AccountService } from "../../../gen/example/account/v1/account_pb.js";
import type { NodeRequest } from "../../../src/index.js";
import { listen, type RunningServer } from "../../support/listen.js";
import { selfSigned } from "../../support/self-signed.js";
import { type Ending, writeMaxBytes } from "./endings.js";
import { type Reply, reply } from "./kinds.js";

export interface TestServer extends RunningServer {
  shutDown(): void;
}

export type MatrixServer = http.Server | https.Server | http2.Http2Server | http2.Http2SecureServer;

export interface TestServerOptions {
  readonly httpVersion: "1.1" | "2";
  readonly tls: boolean;
  readonly interceptors: Interceptor[];
  readonly shutdown: AbortController;
  readonly contextValues?: ((request: NodeRequest) => ContextValues) | undefined;
  readonly watch?: ((server: MatrixServer) => void) | undefined;
  /** Finds the ending that a call asks for. */
  endingOf(context: HandlerContext): Ending;
}

/** Starts a real server whose handlers end as the calls ask. */
export async function startServer(options: TestServerOptions): Promise<TestServer> {
  const { shutdown } = options;
  const handler = connectNodeAdapter({
    routes: (router) => routes(router, options.endingOf),
    interceptors: options.interceptors,
    shutdownSignal: shutdown.signal,
    writeMaxBytes,
    ...(options.contextValues && { contextValues: options.contextValues }),
  });
  const server = createServer(options, handler);
  options.watch?.(server);
  return { ...(await listen(server)), shutDown: () => shutdown.abort() };
}

type Handler = ReturnType<typeof connectNodeAdapter>;

function createServer(
  { httpVersion, tls }: Pick<TestServerOptions, "httpVersion" | "tls">,
  handler: Handler,
): MatrixServer {
  if (!tls) return httpVersion === "2" ? http2.createServer(handler) : http.createServer(handler);
  const secrets = selfSigned(["127.0.0.1"]);
  return httpVersion === "2" ? http2.createSecureServer(secrets, handler) : https.createServer(secrets, handler);
}

function routes(router: ConnectRouter, endingOf: TestServerOptions["endingOf"]): void {
  const stream = (requests: AsyncIterable<unknown>, context: HandlerContext): AsyncIterable<Reply> =>
    endingOf(context).handle(context, requests);
  const single = async (requests: AsyncIterable<unknown>, context: HandlerContext): Promise<Reply> => {
    let last = reply();
    for await (const next of stream(requests, context)) last = next;
    return last;
  };
  router.service(AccountService, {
    changePassword: (_, context) => single(none(), context),
    async getProfile(_, context) {
      const { note, revision } = await single(none(), context);
      // What cannot be serialized is no more so here.
      return { displayName: Number.isInteger(revision) ? note : (0 as never) };
    },
    importDevices: single,
    watchSessions: (_, context) => stream(none(), context),
    syncDevices: stream,
  });
}

async function* none(): AsyncIterable<unknown> {}
