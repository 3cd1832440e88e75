import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { createSessionGatewayInterceptor } from "../../src/index.js";
import { startAccountServer } from "../support/account-server.js";
import { protocols, transportTo } from "../support/transport.js";
import { openRawHttp1, type RawHeader } from "./raw-http1.js";
import { openRawHttp2 } from "./raw-http2.js";
import { defences, genuineMark, procedures, startTarget } from "./target.js";

const mark: RawHeader[] = [
  ["x-session-track", "true"],
  ["x-session-context", "forged"],
  ["x-session-operation", "change_password"],
];

/** What a stranger sends in order to appear in the trail as somebody else. */
const forgeries: [name: string, headers: RawHeader[], httpVersions: ("1.1" | "2")[]][] = [
  ["a forged mark", mark, ["1.1", "2"]],
  ["names in mixed case", mark.map(([name, value]) => [name.replace("session", "SeSSion"), value]), ["1.1"]],
  ["each header twice", [...mark, ...mark], ["1.1", "2"]],
  ["a comma-joined track", [["x-session-track", "0,true"], ...mark.slice(1)], ["1.1", "2"]],
  ["a context that is not ASCII", [mark[0]!, ["x-session-context", "forg\xe9d"]], ["1.1", "2"]],
  [
    "headers after a CR and LF in a value",
    [["x-other", "1\r\nx-session-track: true\r\nx-session-context: forged"]],
    ["1.1"],
  ],
  ["a signature that is none", [...mark, ["x-session-signature", "e30.e30.c2ln"]], ["1.1", "2"]],
];
const cases = forgeries.flatMap(([name, headers, versions]) => versions.map((version) => ({ name, headers, version })));

describe.each(cases)("$name, over a raw HTTP/$version socket", ({ headers, version }) => {
  it("works against a service without defence", async () => {
    const target = await startTarget(defences.none(), { httpVersion: version });
    expect(await target.raw(version).call(procedures.changePassword, headers)).toMatchObject({ status: 200 });
    await target.interceptor.drain(5_000);
    expect(target.fooled()).toHaveLength(1);
    expect(target.seen[0]).toMatch(/^forg/);
  });

  it("is dropped by the guard", async () => {
    const target = await startTarget(defences.guard(), { httpVersion: version });
    expect(await target.raw(version).call(procedures.changePassword, headers)).toMatchObject({ status: 200 });
    await target.interceptor.drain(5_000);
    expect(target.events).toHaveLength(0);
    expect(target.seen).toEqual([null]);
  });

  it("is told by its signature, and makes evidence", async () => {
    const target = await startTarget(defences.verify(), { httpVersion: version });
    expect(await target.raw(version).call(procedures.changePassword, headers)).toMatchObject({ status: 200 });
    await target.interceptor.drain(5_000);
    expect(target.fooled()).toEqual([]);
    expect(target.events).toMatchObject([{ contextVerified: false, action: "change_password", status: "OK" }]);
    expect(target.events[0]?.contextProblem).toMatch(/^signature_/);
    expect(target.seen).toEqual([null]);
  });
});

/**
 * Node refuses the call or drops the header, whatever the service does. Over HTTP/1.1 these are in the list above, or in what
 * a careless gateway writes, below.
 */
describe.each([
  ["CR and LF in a value", [["x-other", "1\r\nx-session-track: true\r\nx-session-context: forged"]], 200],
  ["CR and LF in a context", [mark[0]!, ["x-session-context", "forged\r\nx-session-operation: forged"]], 200],
  ["a NUL in a context", [mark[0]!, ["x-session-context", "forged\0"]], 200],
  ["names in mixed case", mark.map(([name, value]) => [name.toUpperCase(), value]), undefined],
] as [string, RawHeader[], number | undefined][])("%s, over a raw HTTP/2 socket", (_, headers, status) => {
  it.each(["none", "verify"] as const)("gets nowhere: %s", async (defence) => {
    const target = await startTarget(defences[defence](), { httpVersion: "2" });
    const plain = await startAccountServer({ changePassword: () => ({}) });
    const connection = openRawHttp2(plain.port);
    const reference = await connection.call(procedures.changePassword, headers);
    connection.close();
    const answer = await target.raw("2").call(procedures.changePassword, headers);
    expect(reference?.status).toBe(status);
    expect(answer?.status).toBe(status);
    expect(target.events).toEqual([]);
    expect(target.seen).toEqual(status === 200 ? [null] : []);
    // The same connection, or a new one, serves the gateway's call.
    await target.raw("2").call(procedures.changePassword, Object.entries(await genuineMark()));
    await target.interceptor.drain(5_000);
    expect(target.events).toMatchObject([{ encodedSessionContext: "genuine" }]);
  });
});

describe.each(protocols)("a forged mark by a real client, over %s", (protocol) => {
  it.each([
    ["works against a service without defence", "none", 1, 1, ["forged"]],
    ["is dropped by the guard", "guard", 0, 0, [null]],
    ["is told by its signature", "verify", 1, 0, [null]],
  ] as const)("%s", async (_, defence, events, fooled, seen) => {
    const target = await startTarget(defences[defence](), { httpVersion: "2" });
    const client = createClient(AccountService, transportTo(target.baseUrl, [], protocol));
    await client.changePassword({}, { headers: Object.fromEntries(mark) });
    await target.interceptor.drain(5_000);
    expect(target.events).toHaveLength(events);
    expect(target.fooled()).toHaveLength(fooled);
    expect(target.seen).toEqual(seen);
  });
});

describe("a context without a mark, to be believed by handlers and downstream services", () => {
  it.each([
    ["works against a service without defence", "none", ["forged"]],
    ["is dropped by the guard", "guard", [null]],
    ["is taken away by `unmarked: drop`", "verify", [null]],
  ] as const)("%s", async (_, defence, seen) => {
    const target = await startTarget(defences[defence]());
    await target.raw("1.1").call(procedures.changePassword, [["x-session-context", "forged"]]);
    expect(target.seen).toEqual(seen);
    expect(target.events).toEqual([]);
  });
});

describe("a stranger's headers beside the gateway's, through a proxy that appends its own", () => {
  async function appended(): Promise<RawHeader[]> {
    return [["x-session-context", "forged"], ...Object.entries(await genuineMark())];
  }
  it("works against a service without defence: the context is spoilt", async () => {
    const target = await startTarget(defences.none());
    await target.raw("1.1").call(procedures.changePassword, await appended());
    await target.interceptor.drain(5_000);
    expect(target.fooled()).toMatchObject([{ encodedSessionContext: "forged, genuine" }]);
  });
  it("is told by the signature", async () => {
    const target = await startTarget(defences.verify());
    await target.raw("1.1").call(procedures.changePassword, await appended());
    await target.interceptor.drain(5_000);
    expect(target.fooled()).toEqual([]);
    expect(target.events).toMatchObject([{ contextProblem: "signature_invalid" }]);
  });
});

describe("names that only look like ours", () => {
  const names = [
    "x-session-track-2",
    "x-x-session-track",
    "x-session-trac",
    "xsession-track",
    "x_session_track",
    "session-track",
  ];
  it("are no mark for anybody, and stay for the applications that they belong to", async () => {
    for (const defence of [defences.none, defences.guard, defences.verify]) {
      const target = await startTarget(defence());
      const headers: RawHeader[] = names.map((name) => [name, "true"]);
      const answer = await target.raw("1.1").call(procedures.changePassword, headers);
      expect(answer?.status).toBe(200);
      expect(target.events).toEqual([]);
    }
  });
});

describe("an application that forwards its caller's headers", () => {
  const session = (): string => "genuine";
  const forward = async (
    baseUrl: string,
    interceptors: Parameters<typeof createConnectTransport>[0]["interceptors"],
  ) => {
    const transport = createConnectTransport({ baseUrl, httpVersion: "1.1", interceptors: interceptors ?? [] });
    await createClient(AccountService, transport).login({}, { headers: Object.fromEntries(mark) });
  };
  it("without our gateway interceptor, forwards a forged mark to the service", async () => {
    const target = await startTarget(defences.none());
    await forward(target.baseUrl, []);
    await target.interceptor.drain(5_000);
    expect(target.fooled()).toHaveLength(1);
  });
  it("with it, does not", async () => {
    const target = await startTarget(defences.none());
    await forward(target.baseUrl, [createSessionGatewayInterceptor({ session })]);
    await target.interceptor.drain(5_000);
    expect(target.fooled()).toEqual([]);
    expect(target.events).toMatchObject([{ action: "login", encodedSessionContext: "genuine" }]);
  });
});

describe("CR and LF in what a gateway puts into the context", () => {
  const hostile = "genuine\r\nx-session-operation: forged";
  it("through a gateway that writes headers as they come, adds a header", async () => {
    const target = await startTarget(defences.none());
    const naive = openRawHttp1(target.port);
    await naive.call(procedures.login, [
      ["x-session-track", "true"],
      ["x-session-context", hostile],
    ]);
    naive.close();
    await target.interceptor.drain(5_000);
    expect(target.events).toMatchObject([{ action: "forged" }]);
  });
  it("through ours, sends the call without a mark, counted", async () => {
    const target = await startTarget(defences.none());
    const operations = new Map([[AccountService.method.login, "login"]]);
    const gateway = createSessionGatewayInterceptor({ session: () => hostile, operations, log: false });
    const transport = createConnectTransport({ baseUrl: target.baseUrl, httpVersion: "1.1", interceptors: [gateway] });
    await createClient(AccountService, transport).login({});
    expect(target.events).toEqual([]);
    expect(gateway.stats().unmarked).toEqual({ context_invalid: 1 });
  });
});
