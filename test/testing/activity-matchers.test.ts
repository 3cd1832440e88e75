import { create } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { expect, it } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { encodeSessionContext, SessionActivityEventSchema } from "../../src/index.js";
import { type ExpectedSessionActivity, sessionActivityMatchers } from "../../src/testing/index.js";

declare module "vitest" {
  interface Matchers<R> {
    toMatchSessionActivity(expected: ExpectedSessionActivity): R;
  }
}

expect.extend(sessionActivityMatchers);

const event = create(SessionActivityEventSchema, {
  action: "change_password",
  status: "DEADLINE_EXCEEDED",
  handlerStatus: "OK",
  procedure: "/example.account.v1.AccountService/ChangePassword",
  service: "account-service",
  encodedSessionContext: encodeSessionContext({ sessionId: "s", country: "DE", signals: { device: "d" } }),
  attributes: { target: "user/1" },
  startedAt: timestampFromDate(new Date(1_000)),
  completedAt: timestampFromDate(new Date(2_500)),
  duration: durationFromMs(1_500),
  timeout: durationFromMs(1_000),
  attempt: 2,
  sequence: 3n,
});

it.each<ExpectedSessionActivity>([
  {},
  { action: "change_password", status: "DEADLINE_EXCEEDED", handlerStatus: "OK", service: "account-service" },
  { procedure: AccountService.method.changePassword },
  { procedure: "/example.account.v1.AccountService/ChangePassword" },
  { context: { country: "DE" } },
  { context: { signals: { device: "d" }, sessionId: expect.any(String) } },
  { context: expect.objectContaining({ country: "DE" }) },
  { attributes: { target: "user/1" }, attempt: 2, sequence: 3n, contextVerified: false, contextProblem: "" },
  { startedAt: new Date(1_000), completedAt: new Date(2_500), durationMs: 1_500, timeoutMs: 1_000 },
  { action: expect.stringContaining("password"), startedAt: expect.any(Date) },
])("matches %o", (expected) => {
  expect(event).toMatchSessionActivity(expected);
});

it.each<[ExpectedSessionActivity, string]>([
  [
    { action: "login", status: "OK" },
    "action: 'login', got 'change_password'\n  status: 'OK', got 'DEADLINE_EXCEEDED'",
  ],
  [{ context: { country: "FR" } }, "context: { country: 'FR' }, got { country: 'DE' }"],
  [{ attributes: {} }, "attributes: {}, got { target: 'user/1' }"],
  [{ procedure: AccountService.method.login }, "/Login', got '/example"],
  [{ durationMs: 1 }, "durationMs: 1, got 1500"],
  [{ acton: "login" } as never, "acton: 'login', got undefined"],
])("does not match %o, and says what differs", (expected, message) => {
  expect(event).not.toMatchSessionActivity(expected);
  expect(() => expect(event).toMatchSessionActivity(expected)).toThrow(message);
});

it("says what it got where that is no event, or no session context", () => {
  expect(() => expect({ action: "login" }).toMatchSessionActivity({})).toThrow(
    "expected a session activity event, got",
  );
  expect(() => expect(undefined).toMatchSessionActivity({})).toThrow("got undefined");
  expect(() => expect(event).not.toMatchSessionActivity({ attempt: 2 })).toThrow("event without { attempt: 2 }");
  const opaque = create(SessionActivityEventSchema, { encodedSessionContext: "***" });
  expect(() => expect(opaque).toMatchSessionActivity({ context: { country: "DE" } })).toThrow("it is no base64");
});
