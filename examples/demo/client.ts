import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { sessionHeaders } from "connect-session-activity";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { say, title } from "./print.js";

/** What the demo expects of the event of one call. */
export interface Expected {
  readonly action: string;
  readonly status: string;
  readonly handlerStatus?: string;
  readonly problem?: string;
}

type Account = Client<typeof AccountService>;

/** What a stranger sends in order to appear in the trail as somebody else. */
const forged = { [sessionHeaders.track]: "true", [sessionHeaders.context]: "Zm9yZ2Vk" };

/** Makes the calls of the demo, and returns the events that must come of them. */
export async function makeCalls(gatewayUrl: string, accountUrl: string): Promise<Expected[]> {
  const managers: Http2SessionManager[] = [];
  function connect(baseUrl: string): Account {
    const sessionManager = new Http2SessionManager(baseUrl);
    managers.push(sessionManager);
    return createClient(AccountService, createConnectTransport({ baseUrl, httpVersion: "2", sessionManager }));
  }
  const gateway = connect(gatewayUrl);
  const account = connect(accountUrl);
  const expected: Expected[] = [];

  async function call(what: string, run: () => Promise<unknown>, event?: Expected): Promise<void> {
    title(what);
    const outcome = await run().then(
      () => "OK",
      (error: unknown) => Code[ConnectError.from(error).code] ?? "",
    );
    say("client", `received ${outcome}`);
    if (event !== undefined) expected.push(event);
  }

  const phone = { "demo-session": "session-1", "demo-device": "phone", "demo-country": "DE" };
  const abroad = { ...phone, "demo-country": "FR" };
  const laptop = { ...abroad, "demo-device": "laptop" };

  await call(
    "Login with a wrong password, through the gateway",
    () => gateway.login({ user: "ada", password: "guess" }, { headers: abroad }),
    { action: "login", status: "UNAUTHENTICATED" },
  );
  await call("Login", () => gateway.login({ user: "ada", password: "correct horse" }, { headers: phone }), {
    action: "login",
    status: "OK",
  });
  await call(
    "Login again, from another country",
    () => gateway.login({ user: "ada", password: "correct horse" }, { headers: abroad }),
    { action: "login", status: "OK" },
  );
  await call(
    "ChangePassword, from another device: calls the notification service in turn",
    () => gateway.changePassword({}, { headers: laptop }),
    { action: "change_password", status: "OK" },
  );
  await call(
    "UpdateProfile, with a deadline that is too short",
    () => gateway.updateProfile({ displayName: "Ada" }, { headers: laptop, timeoutMs: 200 }),
    { action: "update_profile", status: "DEADLINE_EXCEEDED", handlerStatus: "OK" },
  );
  await call("WatchSessions, cancelled by the caller", () => watchAndCancel(gateway, laptop), {
    action: "watch_sessions",
    status: "CANCELLED",
  });
  await call(
    "Login with a forged mark: the gateway drops it and sets its own",
    () => gateway.login({ user: "ada", password: "guess" }, { headers: { ...laptop, ...forged } }),
    { action: "login", status: "UNAUTHENTICATED" },
  );
  await call(
    "ChangePassword with a forged mark, past the gateway: evidence",
    () => account.changePassword({}, { headers: forged }),
    {
      action: "change_password",
      status: "OK",
      problem: "signature_missing",
    },
  );
  await call(
    "DeleteAccount without a mark, past the gateway: the schema requires one, so there is evidence",
    () => account.deleteAccount({}),
    { action: "delete_account", status: "OK", problem: "missing" },
  );
  await call("ChangePassword without a mark, inside the mesh: no event", () => account.changePassword({}));
  for (const manager of managers) manager.abort();
  return expected;
}

async function watchAndCancel(account: Account, headers: Record<string, string>): Promise<void> {
  const cancel = new AbortController();
  for await (const { revision } of account.watchSessions({ limit: 1_000 }, { headers, signal: cancel.signal })) {
    if (revision === 3) cancel.abort();
  }
}
