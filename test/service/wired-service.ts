import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import type { ConnectRouter, HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { type ConnectNodeAdapterOptions, connectNodeAdapter } from "@connectrpc/connect-node";
import { onTestFinished } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import type { SessionActivityEvent } from "../../src/index.js";
import { type SessionTracking, type SessionTrackingOptions, startSessionTracking } from "../../src/kafka/index.js";

/** Session tracking without Kafka, with its events and what it logs. */
export interface Started {
  readonly tracking: SessionTracking;
  readonly events: SessionActivityEvent[];
  readonly warnings: string[];
}

/** Starts session tracking for a test. */
export function start(options: SessionTrackingOptions = {}): Started {
  const events: SessionActivityEvent[] = [];
  const warnings: string[] = [];
  const warn = (_: object, message: string): void => void warnings.push(message);
  const tracking = startSessionTracking({
    env: false,
    service: "account-service",
    log: { debug() {}, info() {}, warn, error: warn },
    onDrop: (_, event) => void events.push(event),
    ...options,
  });
  // That there is no Kafka.
  warnings.length = 0;
  onTestFinished(() => void tracking.shutDown({ graceMs: 0 }));
  return { tracking, events, warnings };
}

/** Routes of the account service. */
export function routesOf(implementation: Partial<ServiceImpl<typeof AccountService>>): (router: ConnectRouter) => void {
  return (router) => router.service(AccountService, implementation);
}

/** Rejects when the call's signal is aborted, with its reason. */
export function untilAborted({ signal }: HandlerContext): Promise<never> {
  return new Promise((_, reject) => {
    const end = (): void => reject(signal.reason as Error);
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });
}

/** A promise that is resolved from outside. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

export interface Served {
  readonly server: HttpServer;
  readonly port: number;
  readonly baseUrl: string;
}

/** Serves on a free port, watched, until the test is over. */
export async function serve(
  tracking: SessionTracking,
  options: ConnectNodeAdapterOptions,
  httpVersion: "1.1" | "2" = "2",
): Promise<Served> {
  const handler = connectNodeAdapter(tracking.adapterOptions(options));
  const create = (httpVersion === "2" ? createHttp2Server : createHttpServer) as typeof createHttpServer;
  return listenOn(tracking.watch(create(handler)));
}

/** Lets a server listen on a free port. The test must end it. */
export async function listenOn(server: HttpServer): Promise<Served> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { server, port, baseUrl: `http://127.0.0.1:${port}` };
}
