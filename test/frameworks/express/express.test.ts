import { createServer } from "node:http";
import { Code, type ConnectRouter, createClient } from "@connectrpc/connect";
import { expressConnectMiddleware } from "@connectrpc/connect-express";
import { createConnectTransport } from "@connectrpc/connect-node";
import { createMemoryPublisher, createSessionActivityInterceptor } from "connect-session-activity";
import { startSessionTracking } from "connect-session-activity/kafka";
import { AccountService } from "example-account";
import express from "express";
import { expect, it } from "vitest";
import { listen } from "../../support/listen.js";
import { until } from "../../support/until.js";

const marks = { "x-session-track": "true", "x-session-context": "c2Vzc2lvbg" };

const routes = (router: ConnectRouter): unknown =>
  router.service(AccountService, {
    changePassword: ({ oldPassword }, { signal }) =>
      oldPassword === "wait"
        ? new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)))
        : { revision: 1 },
  });

it("express: events, and marked calls that never reached the interceptor", async () => {
  const publisher = createMemoryPublisher();
  const interceptor = createSessionActivityInterceptor({ service: "account-service", publisher, log: false });
  const app = express();
  app.use(expressConnectMiddleware({ routes, interceptors: [interceptor], contextValues: interceptor.contextValues }));
  const { baseUrl } = await listen(createServer(app));
  const client = createClient(AccountService, createConnectTransport({ baseUrl, httpVersion: "1.1" }));
  await client.changePassword({}, { headers: marks });
  // A tenth of it is how long the call may take to the server without looking like a cancellation there.
  const left = client.changePassword({ oldPassword: "wait" }, { headers: marks, timeoutMs: 5_000 });
  await expect(left).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  const malformed = await fetch(`${baseUrl}/${AccountService.typeName}/ChangePassword`, {
    method: "POST",
    headers: { ...marks, "content-type": "application/json" },
    body: "{",
  });
  expect(malformed.status).toBe(400);
  await until(() => publisher.events.length === 2 && interceptor.stats().bypassed === 1);
  expect(publisher.events.map(({ status }) => status)).toEqual(["OK", "DEADLINE_EXCEEDED"]);
});

it("express: is wired and shut down by the two calls that the documents show", async () => {
  const tracking = startSessionTracking({ env: false, service: "account-service", log: false });
  const app = express();
  app.use(expressConnectMiddleware(tracking.adapterOptions({ routes })));
  const { baseUrl } = await listen(tracking.watch(createServer(app)));
  const client = createClient(AccountService, createConnectTransport({ baseUrl, httpVersion: "1.1" }));
  await client.changePassword({}, { headers: marks });
  const waiting = client.changePassword({ oldPassword: "wait" }, { headers: marks });
  await until(() => tracking.stats().interceptor.open === 1);
  const [stats] = await Promise.all([
    tracking.shutDown({ graceMs: 0 }),
    expect(waiting).rejects.toMatchObject({ code: Code.Unavailable }),
  ]);
  expect(stats).toMatchObject({ interceptor: { tracked: 2, open: 0 }, publisher: { dropped: { no_brokers: 2 } } });
});
