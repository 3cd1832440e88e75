import type { IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type ContextValues, createContextKey, createContextValues } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { type SessionActivityInterceptor, sessionContextKey } from "../../src/index.js";
import { accountClient, marks, startAccountServer } from "../support/account-server.js";
import { until } from "../support/until.js";
import { ok, tracking } from "./tracking-fixture.js";

describe("marked calls that never reach the interceptor", () => {
  const path = "/example.account.v1.AccountService/ChangePassword";
  const post = (baseUrl: string, headers: Record<string, string>, body: string): Promise<Response> =>
    fetch(`${baseUrl}${path}?q=secret`, { method: "POST", headers: { ...marks(), ...headers }, body });

  it.each([
    ["a malformed body", { "content-type": "application/json" }, "{", 400],
    [
      "an oversized body",
      { "content-type": "application/json" },
      JSON.stringify({ oldPassword: "x".repeat(2_000) }),
      429,
    ],
    ["a bad timeout", { "content-type": "application/json", "connect-timeout-ms": "soon" }, "{}", 400],
    ["an unsupported media type", { "content-type": "text/plain" }, "{}", 415],
  ])("%s is counted as bypassed, with a warning that names the path", async (_, headers, body, status) => {
    const { adapter, interceptor, warnings, events } = tracking();
    const server = await startAccountServer(ok, { ...adapter, readMaxBytes: 1_000 }, "1.1");
    expect((await post(server.baseUrl, headers, body)).status).toBe(status);
    await until(() => interceptor.stats().bypassed === 1);
    expect(events).toEqual([]);
    expect(warnings).toEqual([
      { message: expect.stringContaining("never reached"), details: { kind: "bypassed", path } },
    ]);
  });

  it("a service with interceptors of its own is counted as bypassed, over HTTP/2 too", async () => {
    const { adapter, interceptor, warnings } = tracking();
    const server = await startAccountServer(ok, adapter, "2", (router) =>
      router.service(AccountService, ok, { interceptors: [] }),
    );
    const client = accountClient(server);
    for (let i = 0; i < 3; i++) await client.changePassword({}, { headers: marks() });
    await client.changePassword({});
    await until(() => interceptor.stats().bypassed === 3);
    expect(warnings).toHaveLength(1);
  });

  it("calls that reach it are not", async () => {
    const { adapter, interceptor, events } = tracking();
    for (const httpVersion of ["1.1", "2"] as const) {
      const server = await startAccountServer(ok, adapter, httpVersion);
      await accountClient(server, "connect", httpVersion).changePassword({}, { headers: marks() });
    }
    await until(() => events.length === 2);
    expect(interceptor.stats().bypassed).toBe(0);
  });
});

describe("contextValues", () => {
  it("keeps the service's own values", async () => {
    const key = createContextKey("default");
    const { interceptor } = tracking();
    let seen: string | undefined;
    const server = await startAccountServer(
      {
        changePassword(_, context) {
          seen = context.values.get(key);
          return {};
        },
      },
      {
        interceptors: [interceptor],
        contextValues: (request) => interceptor.contextValues(request, createContextValues().set(key, "mine")),
      },
    );
    await accountClient(server).changePassword({}, { headers: marks() });
    expect(seen).toBe("mine");
  });

  it("finds Node's request in what fastify hands out, and survives what is no request", () => {
    const { interceptor } = tracking();
    expect(() => interceptor.contextValues({ raw: { headers: marks(), socket: {} } } as never)).not.toThrow();
    for (const odd of [undefined, null, {}, { raw: undefined }, "text"]) {
      expect(interceptor.contextValues(odd as never).get(sessionContextKey)).toBeUndefined();
    }
  });

  it("the same ContextValues for two calls: a warning, and each has its event", async () => {
    const shared = createContextValues();
    const { interceptor, events, warnings } = tracking();
    const server = await startAccountServer(
      { changePassword: () => sleep(100).then(() => ({})) },
      { interceptors: [interceptor], contextValues: (request) => interceptor.contextValues(request, shared) },
    );
    const client = accountClient(server);
    await Promise.all([1, 2, 3].map(() => client.changePassword({}, { headers: marks() })));
    await until(() => events.length === 3);
    expect(events.map(({ status }) => status)).toEqual(["OK", "OK", "OK"]);
    expect(warnings.map(({ message }) => message)).toContainEqual(expect.stringContaining("same ContextValues"));
  });

  it("needs no `this`, also by its type", () => {
    const { contextValues } = tracking().interceptor;
    const given = createContextValues();
    expect(contextValues({ raw: { headers: marks(), socket: {} } } as never, given)).toBe(given);
    const takesLess: (request: IncomingMessage) => ContextValues = () => given;
    // @ts-expect-error A method, which may need its `this`, would be checked less strictly and could be this.
    const narrow: Pick<SessionActivityInterceptor, "contextValues"> = { contextValues: takesLess };
    expect(narrow).toBeDefined();
  });
});
