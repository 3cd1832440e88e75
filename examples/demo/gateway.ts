import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { sessionHeaders } from "connect-session-activity";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { say, sessionHeadersIn, title } from "./print.js";

/** What the demo expects of the event of one call. Null: no event. */
export type Expected = { readonly action: string; readonly status: string; readonly handlerStatus: string } | null;

/** Makes the calls of the demo as a gateway would, and returns the events that must come of them. */
export async function makeCalls(accountUrl: string): Promise<Expected[]> {
  const sessionManager = new Http2SessionManager(accountUrl);
  const transport = createConnectTransport({ baseUrl: accountUrl, httpVersion: "2", sessionManager });
  const account = createClient(AccountService, transport);
  const expected: Expected[] = [];

  async function call(
    what: string,
    headers: Headers,
    run: (headers: Headers) => Promise<unknown>,
    event: Expected,
  ): Promise<void> {
    title(what);
    say("gateway", `sends ${sessionHeadersIn(headers)}`);
    const outcome = await run(headers).then(
      () => "OK",
      (error: unknown) => Code[ConnectError.from(error).code] ?? "",
    );
    say("gateway", `received ${outcome}`);
    expected.push(event);
  }

  try {
    await call(
      "Login with a wrong password, marked",
      marked("login"),
      (headers) => account.login({ user: "ada", password: "guess" }, { headers }),
      { action: "login", status: "UNAUTHENTICATED", handlerStatus: "" },
    );
    await call(
      "Login, marked",
      marked("login"),
      (headers) => account.login({ user: "ada", password: "correct horse" }, { headers }),
      { action: "login", status: "OK", handlerStatus: "" },
    );
    await call(
      "ChangePassword, marked: calls the notification service in turn",
      marked("change_password"),
      (headers) => account.changePassword({}, { headers }),
      { action: "change_password", status: "OK", handlerStatus: "" },
    );
    await call(
      "UpdateProfile, marked, with a deadline that is too short",
      marked("update_profile"),
      (headers) => account.updateProfile({ displayName: "Ada" }, { headers, timeoutMs: 200 }),
      { action: "update_profile", status: "DEADLINE_EXCEEDED", handlerStatus: "OK" },
    );
    await call(
      "WatchSessions, marked without a label, cancelled by the caller",
      marked(),
      (headers) => watchAndCancel(account, headers),
      { action: "/example.account.v1.AccountService/WatchSessions", status: "CANCELLED", handlerStatus: "" },
    );
    await call(
      "ChangePassword, not marked: an internal call",
      new Headers(),
      (headers) => account.changePassword({}, { headers }),
      null,
    );
  } finally {
    sessionManager.abort();
  }
  return expected;
}

function marked(operation?: string): Headers {
  const headers = new Headers({ [sessionHeaders.track]: "true", [sessionHeaders.context]: "c2Vzc2lvbi0x" });
  if (operation !== undefined) headers.set(sessionHeaders.operation, operation);
  return headers;
}

async function watchAndCancel(
  account: ReturnType<typeof createClient<typeof AccountService>>,
  headers: Headers,
): Promise<void> {
  const cancel = new AbortController();
  for await (const { revision } of account.watchSessions({ limit: 1_000 }, { headers, signal: cancel.signal })) {
    if (revision === 3) cancel.abort();
  }
}
