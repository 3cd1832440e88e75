import type { DescMethod } from "@bufbuild/protobuf";
import { createClient, type HandlerContext } from "@connectrpc/connect";
import { describe, expect, it, vi } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { createSessionGatewayInterceptor, type SessionGatewayOptions, sessionHeaders } from "../../src/index.js";
import { startAccountServer } from "../support/account-server.js";
import { declaringAccount } from "../support/declaring-account.js";
import { protocols, transportTo } from "../support/transport.js";

const { login, getProfile } = AccountService.method;

/** Makes a call of each kind to a service, through a gateway whose generated code is `account`. */
async function call(
  account: typeof AccountService,
  options: Partial<SessionGatewayOptions> = {},
  protocol: (typeof protocols)[number] = "connect",
) {
  const received: Record<string, [track: string | null, operation: string | null]> = {};
  const note = ({ requestHeader, method }: HandlerContext): object => {
    received[method.name] = [requestHeader.get(sessionHeaders.track), requestHeader.get(sessionHeaders.operation)];
    return {};
  };
  const server = await startAccountServer({
    login: (_, context) => note(context),
    changePassword: (_, context) => note(context),
    getProfile: (_, context) => note(context),
    async *watchSessions(_, context) {
      yield note(context);
    },
  });
  const warn = vi.fn();
  const log = { debug() {}, info() {}, warn, error() {} };
  const gateway = createSessionGatewayInterceptor({ session: () => "c2Vzc2lvbg", log, ...options });
  const client = createClient(account, transportTo(server.baseUrl, [gateway], protocol));
  for (let round = 0; round < 2; round++) {
    await client.login({});
    await client.changePassword({});
    await client.getProfile({});
    for await (const _ of client.watchSessions({})) {
      // Read to the end.
    }
  }
  return { received, warn, stats: gateway.stats() };
}

describe("a gateway whose schema declares activities", () => {
  it.each(protocols)("marks their calls without any list: %s", async (protocol) => {
    const { received, warn, stats } = await call(AccountService, {}, protocol);
    expect(received).toEqual({
      Login: ["true", "login"],
      ChangePassword: ["true", "change_password"],
      GetProfile: [null, null],
      WatchSessions: ["true", "watch_sessions"],
    });
    expect(stats.marked).toBe(6);
    expect(warn).not.toHaveBeenCalled();
  });

  it("adds the methods in operations, whose labels win", async () => {
    const operations = new Map<DescMethod, string>([
      [login, "sign_in"],
      [getProfile, "read_profile"],
    ]);
    const { received } = await call(AccountService, { operations });
    expect(received).toMatchObject({
      Login: ["true", "sign_in"],
      ChangePassword: ["true", "change_password"],
      GetProfile: ["true", "read_profile"],
    });
  });

  it("signs the operation of the schema", async () => {
    const sign = vi.fn().mockResolvedValue("a.b.c");
    await call(AccountService, { sign: { sign } });
    const procedure = "/example.account.v1.AccountService/Login";
    expect(sign).toHaveBeenCalledWith({ context: "c2Vzc2lvbg", operation: "login", procedure });
  });

  it("marks a method without an operation, or with one that is not valid, without a label", async () => {
    const account = declaringAccount({ login: { required: true }, changePassword: { operation: "change password" } });
    const sign = vi.fn().mockResolvedValue("a.b.c");
    const { received, warn } = await call(account, { sign: { sign } });
    expect(received).toMatchObject({ Login: ["true", null], ChangePassword: ["true", null], GetProfile: [null, null] });
    expect(sign).toHaveBeenCalledWith({
      context: "c2Vzc2lvbg",
      operation: undefined,
      procedure: "/example.account.v1.AccountService/Login",
    });
    const procedure = "/example.account.v1.AccountService/ChangePassword";
    expect(warn.mock.calls).toEqual([[{ kind: "operation_invalid", procedure }, expect.stringContaining("1 to 128")]]);
  });
});

describe("a gateway whose generated code is older than the declarations", () => {
  const account = declaringAccount({});

  it("marks what operations say", async () => {
    const { received, warn } = await call(account, { operations: [[login, "login"]] });
    expect(received).toMatchObject({ Login: ["true", "login"], ChangePassword: [null, null] });
    expect(warn).not.toHaveBeenCalled();
  });

  it("marks nothing without operations, and says so", async () => {
    const { received, warn } = await call(account);
    expect(Object.values(received).flat()).toEqual(Array.from({ length: 8 }, () => null));
    const service = "example.account.v1.AccountService";
    expect(warn.mock.calls).toEqual([[{ kind: "no_operations", service }, expect.stringContaining("generate")]]);
  });
});
