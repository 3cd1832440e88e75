import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:http2";
import { createClient } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import type { SessionTrackingOptions } from "../../src/kafka/index.js";
import { createRequiredMethods } from "../../src/service/required-methods.js";
import { marks, startAccountServer } from "../support/account-server.js";
import { declaringAccount } from "../support/declaring-account.js";
import { listen } from "../support/listen.js";
import { refusalOf } from "../support/refusal.js";
import { protocols, transportTo } from "../support/transport.js";
import { until } from "../support/until.js";
import { tracking as wiredByHand } from "./tracking-fixture.js";
import { start } from "./wired-service.js";

const procedures = {
  changePassword: "/example.account.v1.AccountService/ChangePassword",
  deleteAccount: "/example.account.v1.AccountService/DeleteAccount",
};
const handlers = { changePassword: () => ({}), deleteAccount: () => ({}), getProfile: () => ({}) };

/** A service with these declarations, wired by `adapterOptions`, and a client of it. */
async function serve(
  account: typeof AccountService,
  options: SessionTrackingOptions = {},
  protocol: (typeof protocols)[number] = "connect",
) {
  const { tracking, events } = start(options);
  const adapter = tracking.adapterOptions({ routes: (router) => router.service(account, handlers) });
  const { baseUrl } = await listen(tracking.watch(createServer(connectNodeAdapter(adapter))));
  return { client: createClient(AccountService, transportTo(baseUrl, [], protocol)), events, tracking };
}

describe("a service whose schema declares activities", () => {
  it.each(protocols)("has an event of each call that must have a mark: %s", async (protocol) => {
    const { client, events, tracking } = await serve(AccountService, {}, protocol);
    await client.deleteAccount({});
    await client.changePassword({});
    await client.deleteAccount({}, { headers: marks() });
    await client.changePassword({}, { headers: marks() });
    await until(() => events.length === 3);
    expect(events).toMatchObject([
      { action: "delete_account", procedure: procedures.deleteAccount, contextProblem: "missing" },
      { action: "delete_account", contextProblem: "" },
      { action: "change_password", procedure: procedures.changePassword, contextProblem: "" },
    ]);
    expect(tracking.stats().interceptor).toMatchObject({ tracked: 3, unverified: { missing: 1 }, bypassed: 0 });
  });

  it("takes the label that a gateway gives before its own", async () => {
    const { client, events } = await serve(AccountService);
    await client.changePassword({}, { headers: marks("c2Vzc2lvbg", "password_change") });
    await until(() => events.length === 1);
    expect(events).toMatchObject([{ action: "password_change", procedure: procedures.changePassword }]);
  });

  it("requires what it lists, besides", async () => {
    const { client, events } = await serve(AccountService, { required: [AccountService.method.changePassword] });
    await client.getProfile({});
    await client.changePassword({});
    await client.deleteAccount({});
    await until(() => events.length === 2);
    expect(events.map(({ action }) => action)).toEqual(["change_password", "delete_account"]);
  });

  it("names the procedure if a method that must have a mark has no operation", async () => {
    const { client, events } = await serve(declaringAccount({ changePassword: { required: true } }));
    await client.changePassword({});
    await until(() => events.length === 1);
    expect(events).toMatchObject([{ action: procedures.changePassword, contextProblem: "missing" }]);
  });

  it("counts such a call that Connect refuses", async () => {
    const { tracking } = start();
    const routes = tracking.adapterOptions({ routes: (router) => router.service(AccountService, handlers) });
    const { baseUrl } = await listen(tracking.watch(createHttpServer(connectNodeAdapter(routes))));
    const refused = { method: "POST", headers: { "content-type": "application/json" }, body: "{" };
    for (const procedure of Object.values(procedures)) {
      expect((await fetch(`${baseUrl}${procedure}`, refused)).status).toBe(400);
    }
    await until(() => tracking.stats().interceptor.bypassed === 1);
  });

  it("is told in the same way if it is wired by hand", async () => {
    const { adapter, events } = wiredByHand();
    const client = createClient(AccountService, transportTo((await startAccountServer(handlers, adapter)).baseUrl));
    await client.changePassword({});
    await client.deleteAccount({});
    await until(() => events.length === 1);
    expect(events).toMatchObject([{ action: "delete_account", contextProblem: "missing" }]);
  });
});

it("a service whose generated code declares nothing records what is marked, as ever", async () => {
  const { client, events } = await serve(declaringAccount({}));
  await client.deleteAccount({});
  await client.changePassword({}, { headers: marks() });
  await until(() => events.length === 1);
  expect(events).toMatchObject([{ action: procedures.changePassword, contextProblem: "" }]);
});

describe("an operation that no event can hold", () => {
  const account = declaringAccount({ changePassword: { operation: "change password" } });
  const refusal = {
    code: "ERR_OPTION_INVALID",
    option: `(sessionactivity.v1.activity).operation of ${procedures.changePassword}`,
    message: `(sessionactivity.v1.activity).operation of ${procedures.changePassword} must be 1 to 128 of A-Z a-z 0-9 _ . : / -, got "change password": change it in the schema, and generate the code again`,
  };

  it("is refused when a service is registered", () => {
    const { tracking } = start();
    const options = tracking.adapterOptions({ routes: (router) => router.service(account, handlers) });
    expect(refusalOf(() => connectNodeAdapter(options))).toMatchObject(refusal);
  });

  it("is refused when a method is registered", () => {
    const { tracking } = start();
    const { changePassword } = account.method;
    const options = tracking.adapterOptions({ routes: (router) => router.rpc(changePassword, () => ({})) });
    expect(refusalOf(() => connectNodeAdapter(options))).toMatchObject(refusal);
  });

  it("is not the action, if a service wired by hand has it", async () => {
    const { adapter, events } = wiredByHand();
    const server = await startAccountServer(handlers, adapter, "2", (router) => router.service(account, handlers));
    const client = createClient(AccountService, transportTo(server.baseUrl));
    await client.changePassword({}, { headers: marks() });
    await until(() => events.length === 1);
    expect(events).toMatchObject([{ action: procedures.changePassword }]);
  });
});

describe("the paths of required methods", () => {
  const { deleteAccount, changePassword } = AccountService.method;

  it("are known once a method is registered, and with or without a prefix and a query", () => {
    const required = createRequiredMethods(new Set());
    expect(required.hasPath(procedures.deleteAccount)).toBe(false);
    required.register(deleteAccount);
    required.register(changePassword);
    for (const url of [procedures.deleteAccount, `/api/v1${procedures.deleteAccount}?x=/y/z`]) {
      expect(required.hasPath(url)).toBe(true);
    }
    for (const url of ["", "/", "?", procedures.changePassword, `${procedures.deleteAccount}/`]) {
      expect(required.hasPath(url)).toBe(false);
    }
  });

  it("are known from the first call on, if nothing was registered", () => {
    const required = createRequiredMethods(new Set());
    expect([required.has(deleteAccount), required.has(changePassword)]).toEqual([true, false]);
    expect(required.hasPath(procedures.deleteAccount)).toBe(true);
  });
});
