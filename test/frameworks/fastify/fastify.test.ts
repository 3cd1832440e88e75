import { Code, ConnectError, type ConnectRouter, createClient } from "@connectrpc/connect";
import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { createMemoryPublisher, createSessionActivityInterceptor } from "connect-session-activity";
import { startSessionTracking } from "connect-session-activity/kafka";
import { AccountService } from "example-account";
import { fastify } from "fastify";
import { expect, it, onTestFinished } from "vitest";
import { until } from "../../support/until.js";

const marks = { "x-session-track": "true", "x-session-context": "c2Vzc2lvbg" };

const routes = (router: ConnectRouter): unknown =>
  router.service(AccountService, {
    changePassword: ({ oldPassword }, { signal }) =>
      oldPassword === "wait"
        ? new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)))
        : { revision: 1 },
  });

/** A client over HTTP/2, and what ends its connection. */
function connect(baseUrl: string) {
  const sessionManager = new Http2SessionManager(baseUrl);
  const leave = (): void => sessionManager.abort();
  onTestFinished(leave);
  return { client: createClient(AccountService, createGrpcTransport({ baseUrl, sessionManager })), leave };
}

it.each([
  ["with contextValues", true],
  ["with shutdownError only", false],
])("fastify over HTTP/2: events, and its own shutdown, %s", async (_, withContextValues) => {
  const shutdownError = new ConnectError("shutting down", Code.Unavailable);
  const publisher = createMemoryPublisher();
  const interceptor = createSessionActivityInterceptor({
    service: "account-service",
    publisher,
    shutdownError,
    log: false,
  });
  const app = fastify({ http2: true });
  await app.register(fastifyConnectPlugin, {
    routes,
    interceptors: [interceptor],
    shutdownTimeoutMs: 50,
    shutdownError,
    ...(withContextValues && { contextValues: interceptor.contextValues }),
  });
  const { client, leave } = connect(await app.listen({ port: 0, host: "127.0.0.1" }));
  await client.changePassword({}, { headers: marks });
  const waiting = client.changePassword({ oldPassword: "wait" }, { headers: marks });
  await until(() => interceptor.stats().open === 1);
  const closed = app.close();
  await expect(waiting).rejects.toMatchObject({ code: Code.Unavailable });
  await until(() => publisher.events.length === 2);
  expect(publisher.events.map(({ status, handlerStatus }) => status + handlerStatus)).toEqual(["OK", "UNAVAILABLE"]);
  leave();
  await closed;
});

it("fastify: is wired and shut down by the two calls that the documents show", async () => {
  const tracking = startSessionTracking({ env: false, service: "account-service", log: false });
  const app = tracking.watch(fastify({ http2: true }));
  await app.register(fastifyConnectPlugin, tracking.adapterOptions({ routes }));
  const { client } = connect(await app.listen({ port: 0, host: "127.0.0.1" }));
  await client.changePassword({}, { headers: marks });
  const waiting = client.changePassword({ oldPassword: "wait" }, { headers: marks });
  await until(() => tracking.stats().interceptor.open === 1);
  const [stats] = await Promise.all([
    tracking.shutDown({ graceMs: 0 }),
    expect(waiting).rejects.toMatchObject({ code: Code.Unavailable }),
  ]);
  expect(stats).toMatchObject({ interceptor: { tracked: 2, open: 0 }, publisher: { dropped: { no_brokers: 2 } } });
});
