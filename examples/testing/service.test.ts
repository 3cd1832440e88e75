import { createServer } from "node:http2";
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { connectNodeAdapter, createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import {
  createFakeGateway,
  createTestTracking,
  type ExpectedSessionActivity,
  markHeaders,
  sessionActivityMatchers,
} from "connect-session-activity/testing";
import { afterEach, expect, it } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { routes } from "../quickstart/routes.js";

declare module "vitest" {
  interface Matchers<R> {
    toMatchSessionActivity(expected: ExpectedSessionActivity): R;
  }
}

expect.extend(sessionActivityMatchers);

const tracking = createTestTracking({ service: "account-service" });
afterEach(() => tracking.publisher.clear());

it("records who failed to change a password", async () => {
  const gateway = createFakeGateway({ session: { sessionId: "session-1", userId: "user-1", country: "DE" } });
  const transport = createRouterTransport(routes, {
    router: { interceptors: [tracking.interceptor] },
    transport: { interceptors: [gateway] },
  });
  const client = createClient(AccountService, transport);

  await expect(client.changePassword({ oldPassword: "guess" })).rejects.toThrow("wrong password");

  const [event] = await tracking.publisher.waitFor(1);
  expect(event).toMatchSessionActivity({
    action: "change_password",
    status: "PERMISSION_DENIED",
    procedure: AccountService.method.changePassword,
    context: { userId: "user-1" },
  });
});

it("records a call through a real server", async () => {
  const server = tracking.watch(createServer(connectNodeAdapter(tracking.adapterOptions({ routes }))));
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const baseUrl = `http://127.0.0.1:${port}`;
  const sessionManager = new Http2SessionManager(baseUrl);
  const client = createClient(AccountService, createConnectTransport({ baseUrl, httpVersion: "2", sessionManager }));

  await client.changePassword({ oldPassword: "correct horse" }, { headers: markHeaders({ operation: "rotate" }) });

  const event = await tracking.publisher.waitFor(({ action }) => action === "rotate");
  expect(event).toMatchSessionActivity({ status: "OK", context: { sessionId: "test-session" } });
  sessionManager.abort();
  await tracking.shutDown();
});
