import { createClient, createContextKey, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { describe, expect, it, onTestFinished } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { createSessionActivityInterceptor, createSessionRelay, sessionHeaders } from "../../src/index.js";
import { startAccountServer } from "../support/account-server.js";
import type { RawHeader } from "./raw-http1.js";
import { openRawHttp2 } from "./raw-http2.js";
import { type Defence, defences, genuineMark, procedures } from "./target.js";

const inboundKey = createContextKey<Headers | undefined>(undefined);

/** What applications do without a relay: they hand on the header as it came. */
const handOn: { server: Interceptor; client: Interceptor } = {
  server: (next) => next,
  client: (next) => (call) => {
    const context = call.contextValues.get(inboundKey)?.get(sessionHeaders.context);
    if (context) call.header.set(sessionHeaders.context, context);
    return next(call);
  },
};

/** A service with a defence, that calls a service behind it, which takes HTTP/1.1's 16 KB of headers. */
async function startChain(defence: Defence, relay: typeof handOn, relayFirst: boolean) {
  const arrived: (string | null)[] = [];
  const behind = await startAccountServer(
    {
      login(_, { requestHeader }) {
        arrived.push(requestHeader.get(sessionHeaders.context));
        return {};
      },
    },
    {},
    "1.1",
  );
  const { baseUrl } = behind;
  const interceptors = [relay.client];
  const client = createClient(AccountService, createConnectTransport({ baseUrl, httpVersion: "1.1", interceptors }));
  const tracking = createSessionActivityInterceptor({
    service: "account-service",
    publisher: undefined,
    log: false,
    ...defence.options,
  });
  const server = await startAccountServer(
    {
      async changePassword(_, { requestHeader, values }) {
        await client.login({}, { contextValues: values.set(inboundKey, requestHeader) });
        return {};
      },
    },
    { interceptors: relayFirst ? [relay.server, tracking] : [tracking, relay.server] },
  );
  const connection = openRawHttp2(server.port);
  onTestFinished(() => connection.close());
  const call = (headers: readonly RawHeader[]) => connection.call(procedures.changePassword, headers);
  return { arrived, call };
}

const forged: RawHeader[] = [
  ["x-session-track", "true"],
  ["x-session-context", "forged"],
  ["x-session-signature", "e30.e30.c2ln"],
];

describe("a forged context, to be relayed to the services behind", () => {
  it("arrives there where nothing is verified", async () => {
    const { arrived, call } = await startChain(defences.none(), createSessionRelay(), false);
    await call(forged);
    expect(arrived).toEqual(["forged"]);
  });

  it.each([
    ["after", false],
    ["before", true],
  ])("does not arrive where marks are verified, with the relay %s", async (_, relayFirst) => {
    const { arrived, call } = await startChain(defences.verify(), createSessionRelay(), relayFirst);
    await call(forged);
    await call([["x-session-context", "forged"]]);
    await call(Object.entries(await genuineMark()));
    expect(arrived).toEqual([null, null, "genuine"]);
  });
});

describe("a context of 60 KB, to be relayed to a service that takes 16 KB", () => {
  const oversized: RawHeader[] = [["x-session-context", "f".repeat(60_000)]];

  it("fails the call where the header is handed on as it came", async () => {
    const { call } = await startChain(defences.none(), handOn, false);
    expect(await call(oversized)).not.toMatchObject({ status: 200 });
    expect(await call(forged)).toMatchObject({ status: 200 });
  });

  it("does not by our relay, which leaves it out", async () => {
    const { arrived, call } = await startChain(defences.none(), createSessionRelay({ log: false }), false);
    expect(await call(oversized)).toMatchObject({ status: 200 });
    expect(arrived).toEqual([null]);
  });
});
