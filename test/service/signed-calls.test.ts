import { generateKeyPairSync } from "node:crypto";
import type { DescMethod } from "@bufbuild/protobuf";
import { createClient, type HandlerContext } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { describe, expect, it, onTestFinished } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import {
  createMemoryPublisher,
  createSessionActivityInterceptor,
  createSessionGatewayInterceptor,
  decodeSessionContext,
  sessionContextKey,
} from "../../src/index.js";
import {
  createSessionKeySet,
  createSessionSigner,
  createSessionVerifier,
  verifySessionActivity,
} from "../../src/signature/index.js";
import { startAccountServer } from "../support/account-server.js";

const { login, changePassword, getProfile, watchSessions, importDevices, syncDevices } = AccountService.method;
const operations = new Map<DescMethod, string>([
  [login, "login"],
  [changePassword, "change_password"],
  [getProfile, "get_profile"],
  [watchSessions, "watch_sessions"],
  [importDevices, "import_devices"],
  [syncDevices, "sync_devices"],
]);
const pairs = { EdDSA: generateKeyPairSync("ed25519"), ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }) };
const keys = createSessionKeySet({
  keys: Object.entries(pairs).map(([kid, { publicKey }]) => ({ ...publicKey.export({ format: "jwk" }), kid })),
});
const transports = {
  connect: createConnectTransport,
  grpc: createGrpcTransport,
  "grpc-web": createGrpcWebTransport,
} as const;

/** A service that verifies, and requires a mark of all its methods. */
async function startService(httpVersion: "1.1" | "2") {
  const publisher = createMemoryPublisher();
  const interceptor = createSessionActivityInterceptor({
    service: "account-service",
    publisher,
    log: false,
    required: [...operations.keys()],
    verify: createSessionVerifier({ keys, audience: "account-service" }),
  });
  const seen: unknown[] = [];
  const note = ({ values }: HandlerContext): object => {
    seen.push(values.get(sessionContextKey));
    return {};
  };
  const server = await startAccountServer(
    {
      login: (_, context) => note(context),
      changePassword: (_, context) => note(context),
      getProfile: (_, context) => note(context),
      async *watchSessions(_, context) {
        yield note(context);
      },
      async importDevices(requests, context) {
        for await (const _ of requests);
        return note(context);
      },
      async *syncDevices(requests, context) {
        for await (const _ of requests) yield note(context);
      },
    },
    { interceptors: [interceptor], contextValues: interceptor.contextValues },
    httpVersion,
  );
  return { server, publisher, interceptor, seen };
}

async function* oneDevice() {
  yield { deviceId: "phone" };
}

describe.each(["EdDSA", "ES256"] as const)("a gateway that signs with %s", (algorithm) => {
  const sign = createSessionSigner({ key: pairs[algorithm].privateKey, keyId: algorithm, audience: "account-service" });

  it.each([
    { protocol: "connect", version: "1.1" },
    { protocol: "grpc-web", version: "1.1" },
    { protocol: "connect", version: "2" },
    { protocol: "grpc-web", version: "2" },
    { protocol: "grpc", version: "2" },
  ] as const)("is believed on calls of every kind: $protocol over HTTP/$version", async ({ version, protocol }) => {
    const { server, publisher, interceptor, seen } = await startService(version);
    const session = () => ({ sessionId: "s-1", userId: "ada", country: "DE" });
    const gateway = createSessionGatewayInterceptor({ session, operations, sign, log: false });
    const sessionManager = new Http2SessionManager(server.baseUrl);
    onTestFinished(() => sessionManager.abort());
    const client = createClient(
      AccountService,
      transports[protocol]({
        baseUrl: server.baseUrl,
        interceptors: [gateway],
        ...(version === "2" ? { httpVersion: version, sessionManager } : { httpVersion: version }),
        ...(protocol === "connect" && { useHttpGet: true }),
      }),
    );
    await client.login({});
    await client.changePassword({});
    await client.getProfile({}); // over GET, in the Connect protocol
    for await (const _ of client.watchSessions({}));
    await client.importDevices(oneDevice());
    // HTTP/1.1 has no bidirectional streams.
    if (version === "2") for await (const _ of client.syncDevices(oneDevice()));
    await interceptor.drain(5_000);

    const labels = [...operations.values()].slice(0, version === "2" ? 6 : 5);
    expect(publisher.events.map(({ action }) => action)).toEqual(labels);
    expect(interceptor.stats()).toMatchObject({ verified: labels.length, unverified: {} });
    expect(seen.map((context) => decodeSessionContext(String(context)).userId)).toEqual(labels.map(() => "ada"));
    for (const event of publisher.events) {
      expect(event).toMatchObject({ contextVerified: true, contextProblem: "", status: "OK" });
      expect(await verifySessionActivity(event, keys, { audience: "account-service" })).toMatchObject({
        verified: true,
        keyId: algorithm,
        operation: event.action,
      });
    }
  });
});

it("a gateway of another audience is not believed", async () => {
  const { server, publisher, interceptor, seen } = await startService("1.1");
  const sign = createSessionSigner({ key: pairs.EdDSA.privateKey, keyId: "EdDSA", audience: "mail-service" });
  const gateway = createSessionGatewayInterceptor({ session: () => "c2Vzc2lvbg", operations, sign, log: false });
  const { baseUrl } = server;
  const transport = createConnectTransport({ baseUrl, httpVersion: "1.1", interceptors: [gateway] });
  await createClient(AccountService, transport).login({});
  await interceptor.drain(5_000);
  expect(publisher.events).toMatchObject([{ contextVerified: false, contextProblem: "signature_invalid" }]);
  expect(seen).toEqual([undefined]);
});

it("a key can be changed: the old one is believed as long as the services know it", async () => {
  const { server, publisher, interceptor } = await startService("1.1");
  const { baseUrl } = server;
  for (const keyId of ["EdDSA", "ES256"] as const) {
    const sign = createSessionSigner({ key: pairs[keyId].privateKey, keyId, audience: "account-service" });
    const gateway = createSessionGatewayInterceptor({ session: () => "c2Vzc2lvbg", operations, sign, log: false });
    const transport = createConnectTransport({ baseUrl, httpVersion: "1.1", interceptors: [gateway] });
    await createClient(AccountService, transport).login({});
  }
  await interceptor.drain(5_000);
  expect(publisher.events.map(({ contextVerified }) => contextVerified)).toEqual([true, true]);
});
