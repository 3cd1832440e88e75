import * as http from "node:http";
import * as http2 from "node:http2";
import { createClient } from "@connectrpc/connect";
import { connectNodeAdapter, createConnectTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import {
  createMemoryPublisher,
  createSessionActivityInterceptor,
  createSessionGuardInterceptor,
  sessionHeaders,
  stripSessionHeaders,
} from "../../src/index.js";
import { accountClient, startAccountServer } from "../support/account-server.js";
import { listen } from "../support/listen.js";

const forged = {
  "X-Session-Track": "true",
  "x-session-context": "forged",
  "x-session-operation": "forged",
  "x-session-signature": "forged",
  "x-session-id": "of another application",
  "x-session-context-2": "of another application",
};

describe("createSessionGuardInterceptor", () => {
  it.each([
    ["without the guard, the forged mark makes an event", false, 1],
    ["with it, it is dropped before anything reads it", true, 0],
  ])("%s", async (_, guarded, expected) => {
    const publisher = createMemoryPublisher();
    const tracking = createSessionActivityInterceptor({ service: "account-service", publisher, log: false });
    const guard = createSessionGuardInterceptor();
    let seen: Headers | undefined;
    const server = await startAccountServer(
      {
        login(_request, context) {
          seen = context.requestHeader;
          return {};
        },
      },
      { interceptors: guarded ? [guard, tracking] : [tracking] },
      "1.1",
    );
    const client = createClient(
      AccountService,
      createConnectTransport({ baseUrl: server.baseUrl, httpVersion: "1.1" }),
    );
    await client.login({}, { headers: forged });
    await client.login({});
    await tracking.drain(5_000);
    expect(publisher.events).toHaveLength(expected);
    if (!guarded) return;
    expect(guard.stats()).toEqual({ calls: 1, headers: 4 });
    await client.login({}, { headers: forged });
    expect(Object.values(sessionHeaders).filter((name) => seen?.has(name))).toEqual([]);
    expect(seen?.get("x-session-id")).toBe("of another application");
    expect(seen?.get("x-session-context-2")).toBe("of another application");
  });
});

describe("stripSessionHeaders", () => {
  it("takes Fetch headers", () => {
    const headers = new Headers(forged);
    expect(stripSessionHeaders(headers)).toBe(4);
    expect([...headers.keys()]).toEqual(["x-session-context-2", "x-session-id"]);
    expect(stripSessionHeaders(headers)).toBe(0);
  });

  it.each(["1.1", "2"] as const)("takes those of a request of Node's, over HTTP/%s", async (httpVersion) => {
    const seen: Headers[] = [];
    const handler = connectNodeAdapter({
      routes: (router) =>
        router.service(AccountService, {
          login(_, { requestHeader }) {
            seen.push(requestHeader);
            return {};
          },
        }),
    });
    const server =
      httpVersion === "2"
        ? http2.createServer((request, response) => {
            stripSessionHeaders(request.headers);
            handler(request, response);
          })
        : http.createServer((request, response) => {
            stripSessionHeaders(request.headers);
            handler(request, response);
          });
    await accountClient(await listen(server), "connect", httpVersion).login({}, { headers: forged });
    expect(seen).toHaveLength(1);
    expect(Object.values(sessionHeaders).filter((name) => seen[0]?.has(name))).toEqual([]);
    expect(seen[0]?.get("x-session-id")).toBe("of another application");
  });

  it("takes Node's headers, and any case", () => {
    const headers: Record<string, string | string[] | undefined> = { ...forged, delete: "a client's header" };
    expect(stripSessionHeaders(headers)).toBe(4);
    expect(Object.keys(headers)).toEqual(["x-session-id", "x-session-context-2", "delete"]);
  });
});
