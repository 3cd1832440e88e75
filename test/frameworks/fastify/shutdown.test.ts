import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError, type ConnectRouter, createClient, type HandlerContext } from "@connectrpc/connect";
import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import { createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { SessionActivityEvent } from "connect-session-activity";
import { startSessionTracking } from "connect-session-activity/kafka";
import { AccountService } from "example-account";
import { type FastifyInstance, fastify } from "fastify";
import { expect, it, onTestFinished } from "vitest";
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

const cases: ["1.1" | "2", string][] = [
  ["1.1", "shutDown"],
  ["2", "shutDown"],
  ["1.1", "its own close"],
  ["2", "its own close"],
];

it.each(cases)("fastify over HTTP/%s: %s shuts the service down, with 60 calls open", async (httpVersion, how) => {
  const events: SessionActivityEvent[] = [];
  const tracking = startSessionTracking({
    env: false,
    service: "account-service",
    onDrop: (_, event) => void events.push(event),
    log: false,
  });
  const app: FastifyInstance = httpVersion === "2" ? (fastify({ http2: true }) as never) : fastify();
  tracking.watch(app);
  const shutDown = () => tracking.shutDown({ graceMs: 3_000 });
  // Not onClose: fastify calls that when all calls have ended.
  if (how === "its own close") app.addHook("preClose", async () => void (await shutDown()));
  await app.register(fastifyConnectPlugin, tracking.adapterOptions({ routes: (router) => void routes(router) }));
  await app.listen({ port: 0, host: "127.0.0.1" });
  const baseUrl = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  const sessionManager = new Http2SessionManager(baseUrl);
  onTestFinished(() => sessionManager.abort());
  const transport =
    httpVersion === "2"
      ? createConnectTransport({ baseUrl, httpVersion, sessionManager })
      : createConnectTransport({ baseUrl, httpVersion });
  const client = createClient(AccountService, transport);

  begun = 0;
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
  if (how === "its own close") await app.close();
  const { interceptor } = await shutDown();
  await Promise.all(calls.flat());
  const expected = ["soon OK", "stream Unavailable", "told Unavailable"];
  expect(seen.sort()).toEqual(expected.flatMap((one) => Array.from({ length: 20 }, () => one)));
  expect(interceptor).toMatchObject({ open: 0, byStatus: { OK: 10, UNAVAILABLE: 20 }, bypassed: 0 });
  expect(events).toHaveLength(30);
});
