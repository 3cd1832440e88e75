// The README's recipes for nginx, Envoy and Traefik, each really run: `npm run test:edge`.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createClient } from "@connectrpc/connect";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { openRawHttp1, type RawHeader } from "../attacks/raw-http1.js";
import { openRawHttp2 } from "../attacks/raw-http2.js";
import { type Defence, defences, genuineMark, procedures, startTarget } from "../attacks/target.js";
import { transportTo } from "../support/transport.js";
import { chosenProxies, type ProxyName, programOf } from "./programs.js";
import { readRecipe, startProxy } from "./proxies.js";

const proxies = chosenProxies();
// What has to be downloaded is no part of a test's time.
beforeAll(() => proxies.forEach(programOf), 600_000);

/** What the proxies ask: it marks calls of ChangePassword, and no others. */
async function startSessionService(): Promise<number> {
  const server = createServer(({ url, headers }, response) => {
    const path = headers["x-original-uri"] ?? headers["x-forwarded-uri"] ?? url;
    void (path === procedures.changePassword ? genuineMark() : Promise.resolve({})).then((mark) =>
      response.writeHead(200, mark).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function startEdge(name: ProxyName, recipe: string, defence: Defence) {
  const target = await startTarget(defence);
  const port = await startProxy(name, recipe, target.port, await startSessionService());
  target.seen.length = 0;
  async function call(procedure: string, headers: readonly RawHeader[]): Promise<void> {
    const stranger = openRawHttp1(port);
    expect(await stranger.call(procedure, headers)).toMatchObject({ status: 200 });
    stranger.close();
    await target.interceptor.drain(5_000);
  }
  return { target, call };
}

const mark: RawHeader[] = [
  ["x-session-track", "true"],
  ["x-session-context", "forged"],
  ["x-session-operation", "forged"],
  ["x-session-signature", "e30.e30.c2ln"],
];
const attacks: [string, RawHeader[]][] = [
  ["a forged mark", mark],
  ["names in mixed case", mark.map(([name, value]) => [name.replace("session", "SeSSion"), value])],
  ["each header twice", [...mark, ...mark]],
  ["a track that switches off", [["x-session-track", "0"]]],
  ...mark.map(([name]): [string, RawHeader[]] => [`Connection: ${name}`, [["connection", `keep-alive, ${name}`]]]),
  ["Connection: all four", [...mark, ["connection", mark.map(([name]) => name).join(", ")]]],
];

describe.each(proxies)("the recipe for %s", { timeout: 60_000 }, (name) => {
  it("is needed: without its lines, a forged mark reaches the service", async () => {
    const { call, target } = await startEdge(
      name,
      readRecipe(name).replaceAll("x-session-", "x-other-"),
      defences.none(),
    );
    await call(procedures.login, mark);
    expect(target.fooled()).toHaveLength(1);
    expect(target.seen).toEqual(["forged"]);
  });

  it("drops what comes from outside, and sets its own, whatever a stranger sends", async () => {
    const defence = { ...defences.verify(), options: { ...defences.verify().options, ...defences.required().options } };
    const { call, target } = await startEdge(name, readRecipe(name), defence);
    for (const [, headers] of attacks) {
      await call(procedures.login, headers);
      await call(procedures.changePassword, headers);
    }
    expect(target.seen).toEqual(attacks.flatMap(() => [null, "genuine"]));
    expect(target.events.map(({ contextProblem }) => contextProblem)).toEqual(attacks.map(() => ""));
    for (const event of target.events) {
      expect(event).toMatchObject({
        action: "change_password",
        encodedSessionContext: "genuine",
        contextVerified: true,
      });
    }
  });
});

if (proxies.includes("nginx")) {
  it("the recipe for nginx holds for gRPC, with grpc_set_header and grpc_pass", async () => {
    const recipe = readRecipe("nginx")
      .replace("127.0.0.1:8080;", "127.0.0.1:8080 http2;")
      .replaceAll("proxy_set_header x-session-", "grpc_set_header x-session-")
      .replace("proxy_pass http://127.0.0.1:8081;", "grpc_pass grpc://127.0.0.1:8081;");
    const target = await startTarget(defences.verify(), { httpVersion: "2" });
    const port = await startProxy("nginx", recipe, target.port, await startSessionService(), openRawHttp2);
    target.seen.length = 0;
    const client = createClient(AccountService, transportTo(`http://127.0.0.1:${port}`, [], "grpc"));
    const headers = Object.fromEntries(mark);
    await client.login({}, { headers });
    await client.changePassword({}, { headers });
    await target.interceptor.drain(5_000);
    expect(target.seen).toEqual([null, "genuine"]);
    expect(target.events).toMatchObject([{ encodedSessionContext: "genuine", contextVerified: true, status: "OK" }]);
  });
}
