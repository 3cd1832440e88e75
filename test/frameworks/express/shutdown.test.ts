import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError, type ConnectRouter, createClient, type HandlerContext } from "@connectrpc/connect";
import { expressConnectMiddleware } from "@connectrpc/connect-express";
import { createConnectTransport } from "@connectrpc/connect-node";
import type { SessionActivityEvent } from "connect-session-activity";
import { startSessionTracking } from "connect-session-activity/kafka";
import { AccountService } from "example-account";
import express from "express";
import { expect, it } from "vitest";
import { until } from "../../support/until.js";

const marks = { "x-session-track": "true", "x-session-context": "c2Vzc2lvbg" };

const told = ({ signal }: HandlerContext): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error));
  });

let begun = 0;

const routes = (router: ConnectRouter): unknown =>
  router.service(AccountService, {
    changePassword({ oldPassword }, context) {
      begun += 1;
      return oldPassword === "soon" ? sleep(1_000, {}) : told(context);
    },
    async *watchSessions(_, context) {
      begun += 1;
      yield {};
      await told(context);
    },
  });

it("express: one call shuts the service down, with 60 calls open", async () => {
  const events: SessionActivityEvent[] = [];
  const tracking = startSessionTracking({
    env: false,
    service: "account-service",
    onDrop: (_, event) => void events.push(event),
    log: false,
  });
  const app = express();
  app.use(expressConnectMiddleware(tracking.adapterOptions({ routes: (router) => void routes(router) })));
  const server = tracking.watch(createServer(app));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = createClient(AccountService, createConnectTransport({ baseUrl, httpVersion: "1.1" }));

  const seen: string[] = [];
  const note = (name: string, call: Promise<unknown>): Promise<unknown> =>
    call.then(
      () => seen.push(`${name} OK`),
      (error: unknown) => seen.push(`${name} ${Code[ConnectError.from(error).code]}`),
    );
  const read = async (messages: AsyncIterable<unknown>): Promise<void> => {
    for await (const message of messages) void message;
  };
  const calls = Array.from({ length: 20 }, (_, index) => {
    const options = { headers: index % 2 === 0 ? marks : {} };
    return [
      note("soon", client.changePassword({ oldPassword: "soon" }, options)),
      note("told", client.changePassword({}, options)),
      note("stream", read(client.watchSessions({}, options))),
    ];
  });
  await until(() => begun === 60);
  const { interceptor } = await tracking.shutDown({ graceMs: 3_000 });
  await Promise.all(calls.flat());
  const expected = ["soon OK", "stream Unavailable", "told Unavailable"];
  expect(seen.sort()).toEqual(expected.flatMap((one) => Array.from({ length: 20 }, () => one)));
  expect(interceptor).toMatchObject({ open: 0, byStatus: { OK: 10, UNAVAILABLE: 20 }, bypassed: 0 });
  expect(events).toHaveLength(30);
});
