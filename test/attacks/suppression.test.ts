import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { Interceptor } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { sessionHeaders } from "../../src/index.js";
import { startAccountServer } from "../support/account-server.js";
import { listen } from "../support/listen.js";
import { openRawHttp1 } from "./raw-http1.js";
import { defences, genuineMark, procedures, startTarget } from "./target.js";

/**
 * A gateway in front of a service that obeys its caller's `Connection` header after it has set its own headers, as
 * CVE-2021-32813 and CVE-2024-45410 tell.
 */
async function startObedientGateway(servicePort: number): Promise<number> {
  async function handOn(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const headers: IncomingHttpHeaders = { ...incoming.headers, ...(await genuineMark()) };
    for (const name of (incoming.headers.connection ?? "").split(",")) delete headers[name.trim().toLowerCase()];
    const onward = request({ port: servicePort, path: incoming.url, method: "POST", headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 0, { "content-length": answer.headers["content-length"] });
      answer.pipe(outgoing);
    });
    incoming.pipe(onward);
  }
  const { port } = await listen(createServer((incoming, outgoing) => void handOn(incoming, outgoing)));
  return port;
}

async function callThroughGateway(servicePort: number, connection: string): Promise<void> {
  const stranger = openRawHttp1(await startObedientGateway(servicePort));
  const answer = await stranger.call(procedures.changePassword, [["connection", `keep-alive, ${connection}`]]);
  stranger.close();
  expect(answer?.status).toBe(200);
}

describe.each(["x-session-track", "x-session-context", "X-Session-Track, x-session-context"])(
  "Connection: %s",
  (names) => {
    it("escapes the trail of a service without defence", async () => {
      const target = await startTarget(defences.none());
      await callThroughGateway(target.port, names);
      expect(target.seen).toHaveLength(1);
      expect(target.events).toEqual([]);
    });

    it("does not escape a service that requires the mark", async () => {
      const target = await startTarget(defences.required());
      await callThroughGateway(target.port, names);
      await target.interceptor.drain(5_000);
      expect(target.events).toMatchObject([
        { contextProblem: "missing", action: "change_password", status: "OK", encodedSessionContext: "" },
      ]);
      expect(target.interceptor.stats().unverified).toEqual({ missing: 1 });
    });
  },
);

describe.each([
  ["x-session-signature", "signature_missing"],
  ["x-session-operation", "signature_invalid"],
])("Connection: %s", (name, problem) => {
  it("goes unnoticed by a service without defence", async () => {
    const target = await startTarget(defences.none());
    await callThroughGateway(target.port, name);
    await target.interceptor.drain(5_000);
    expect(target.events).toMatchObject([{ contextProblem: "" }]);
  });

  it("is noticed by a service that verifies, and the event comes", async () => {
    const target = await startTarget(defences.verify());
    await callThroughGateway(target.port, name);
    await target.interceptor.drain(5_000);
    expect(target.events).toMatchObject([
      { contextProblem: problem, contextVerified: false, encodedSessionContext: "genuine" },
    ]);
  });
});

describe("x-session-track: 0 from a stranger, to which a proxy appends its own", () => {
  const names = ["0", "false", "0, 0"];
  it.each(names)("%s escapes an interceptor that compares with `true`", async (value) => {
    const tracked: string[] = [];
    const naive: Interceptor = (next) => (call) => {
      if (call.header.get(sessionHeaders.track) === "true") tracked.push(call.url);
      return next(call);
    };
    const server = await startAccountServer({ changePassword: () => ({}) }, { interceptors: [naive] }, "1.1");
    const stranger = openRawHttp1(server.port);
    const headers = Object.entries(await genuineMark());
    expect((await stranger.call(procedures.changePassword, headers))?.status).toBe(200);
    expect(tracked).toHaveLength(1);
    await stranger.call(procedures.changePassword, [[sessionHeaders.track, value], ...headers]);
    stranger.close();
    expect(tracked).toHaveLength(1);
  });

  it.each(names)("%s does not escape ours", async (value) => {
    const target = await startTarget(defences.verify());
    const headers = Object.entries(await genuineMark());
    await target.raw("1.1").call(procedures.changePassword, [[sessionHeaders.track, value], ...headers]);
    await target.interceptor.drain(5_000);
    expect(target.events).toMatchObject([{ contextVerified: true, encodedSessionContext: "genuine" }]);
  });
});
