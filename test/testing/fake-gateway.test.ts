import { createClient, createRouterTransport, type Interceptor } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { decodeSessionContext, type SessionSigner } from "../../src/index.js";
import { createFakeGateway, createTestTracking, markHeaders } from "../../src/testing/index.js";
import { refusalOf } from "../support/refusal.js";

/** A service whose handlers do nothing, behind the gateway. */
function serviceBehind(gateway: Interceptor, signatures: (string | null)[] = []) {
  const { interceptor, publisher } = createTestTracking();
  const spy: Interceptor = (next) => (call) => {
    signatures.push(call.header.get("x-session-signature"));
    return next(call);
  };
  const transport = createRouterTransport((router) => router.service(AccountService, { changePassword: () => ({}) }), {
    router: { interceptors: [spy, interceptor] },
    transport: { interceptors: [gateway] },
  });
  return { client: createClient(AccountService, transport), publisher };
}

describe("createFakeGateway", () => {
  it("marks every call, by default for a session of its own and without a label", async () => {
    const { client, publisher } = serviceBehind(createFakeGateway());
    await client.changePassword({}, { headers: { "x-session-operation": "forged" } });
    const [event] = await publisher.waitFor(1);
    expect(event?.action).toBe("change_password");
    expect(decodeSessionContext(event?.encodedSessionContext ?? "")).toMatchObject({
      sessionId: "test-session",
      userId: "test-user",
    });
  });

  it("asks functions for the session and the label of each call", async () => {
    let country: string | undefined = "DE";
    const gateway = createFakeGateway({
      session: () => country && { sessionId: "session-1", country },
      operation: ({ method }) => method.localName,
    });
    const { client, publisher } = serviceBehind(gateway);
    await client.changePassword({});
    country = undefined;
    await client.changePassword({});
    country = "FR";
    await client.changePassword({});
    const events = await publisher.waitFor(2);
    expect(events.map(({ action }) => action)).toEqual(["changePassword", "changePassword"]);
    const contexts = events.map(({ encodedSessionContext }) => decodeSessionContext(encodedSessionContext));
    expect(contexts.map((context) => context.country)).toEqual(["DE", "FR"]);
  });

  it("signs", async () => {
    const seen: unknown[] = [];
    const sign: SessionSigner = { sign: (mark) => Promise.resolve(`a.${seen.push(mark)}.c`) };
    const signatures: (string | null)[] = [];
    const { client, publisher } = serviceBehind(
      createFakeGateway({ session: "opaque", operation: "login", sign }),
      signatures,
    );
    await client.changePassword({});
    await publisher.waitFor(1);
    expect(signatures).toEqual(["a.1.c"]);
    const procedure = "/example.account.v1.AccountService/ChangePassword";
    expect(seen).toEqual([{ context: "opaque", operation: "login", procedure }]);
  });

  it("lets a call fail whose mark it cannot make", async () => {
    const { client } = serviceBehind(createFakeGateway({ session: () => "not ASCII: ä" }));
    await expect(client.changePassword({})).rejects.toThrow("session must be a session context");
    expect(refusalOf(() => createFakeGateway({ operation: "two words" }))).toMatchObject({ option: "operation" });
    expect(refusalOf(() => createFakeGateway({ session: 1 as never }))).toMatchObject({ option: "session" });
  });
});

it("markHeaders makes the headers of a marked call", () => {
  expect(markHeaders({ session: "opaque", operation: "login" })).toEqual({
    "x-session-track": "true",
    "x-session-context": "opaque",
    "x-session-operation": "login",
  });
  expect(Object.keys(markHeaders())).toEqual(["x-session-track", "x-session-context"]);
  expect(() => markHeaders({ session: {} })).toThrow("at least one field");
});
