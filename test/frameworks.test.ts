import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Code, ConnectError, type ConnectRouter, createClient } from "@connectrpc/connect";
import { expressConnectMiddleware } from "@connectrpc/connect-express";
import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import { createConnectTransport, createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import express from "express";
import { fastify } from "fastify";
import { expect, it, onTestFinished } from "vitest";
import { AccountService } from "../gen/example/account/v1/account_pb.js";
import { createMemoryPublisher, createSessionActivityInterceptor } from "../src/index.js";
import { marks } from "./support/account-server.js";
import { listen } from "./support/listen.js";
import { until } from "./support/until.js";

function tracking(shutdownError?: unknown) {
  const publisher = createMemoryPublisher();
  const interceptor = createSessionActivityInterceptor({
    service: "account-service",
    publisher,
    shutdownError,
    log: false,
  });
  return { interceptor, events: publisher.events };
}

const routes = (router: ConnectRouter): unknown =>
  router.service(AccountService, {
    changePassword: ({ oldPassword }, { signal }) =>
      oldPassword === "wait"
        ? new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)))
        : { revision: 1 },
  });

it("express: events, and marked calls that never reached the interceptor", async () => {
  const { interceptor, events } = tracking();
  const app = express();
  app.use(expressConnectMiddleware({ routes, interceptors: [interceptor], contextValues: interceptor.contextValues }));
  const { baseUrl } = await listen(createServer(app));
  const client = createClient(AccountService, createConnectTransport({ baseUrl, httpVersion: "1.1" }));
  await client.changePassword({}, { headers: marks() });
  // A tenth of it is how long the call may take to the server without looking like a cancellation there.
  const left = client.changePassword({ oldPassword: "wait" }, { headers: marks(), timeoutMs: 1_000 });
  await expect(left).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  const headers = { ...marks(), "content-type": "application/json" };
  const malformed = await fetch(`${baseUrl}/${AccountService.typeName}/ChangePassword`, {
    method: "POST",
    headers,
    body: "{",
  });
  expect(malformed.status).toBe(400);
  await until(() => events.length === 2 && interceptor.stats().bypassed === 1);
  expect(events.map(({ status }) => status)).toEqual(["OK", "DEADLINE_EXCEEDED"]);
});

it.each([
  ["with contextValues", true],
  ["with shutdownError only", false],
])("fastify over HTTP/2: events, and its own shutdown, %s", async (_, withContextValues) => {
  const shutdownError = new ConnectError("shutting down", Code.Unavailable);
  const { interceptor, events } = tracking(shutdownError);
  const app = fastify({ http2: true });
  await app.register(fastifyConnectPlugin, {
    routes,
    interceptors: [interceptor],
    shutdownTimeoutMs: 50,
    shutdownError,
    ...(withContextValues && { contextValues: interceptor.contextValues }),
  });
  await app.listen({ port: 0, host: "127.0.0.1" });
  const baseUrl = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  const sessionManager = new Http2SessionManager(baseUrl);
  onTestFinished(() => sessionManager.abort());
  const client = createClient(AccountService, createGrpcTransport({ baseUrl, sessionManager }));
  await client.changePassword({}, { headers: marks() });
  const waiting = client.changePassword({ oldPassword: "wait" }, { headers: marks() });
  await until(() => interceptor.stats().open === 1);
  const closed = app.close();
  await expect(waiting).rejects.toMatchObject({ code: Code.Unavailable });
  await until(() => events.length === 2);
  expect(events.map(({ status, handlerStatus }) => status + handlerStatus)).toEqual(["OK", "UNAVAILABLE"]);
  sessionManager.abort();
  await closed;
});
