import { createServer } from "node:http2";
import type { HandlerContext } from "@connectrpc/connect";
import { type CallOptions, createClient, createContextKey, createContextValues } from "@connectrpc/connect";
import { connectNodeAdapter, createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import {
  createSessionGatewayInterceptor,
  createSessionGuardInterceptor,
  type SessionGuardStats,
  type SessionSigner,
} from "connect-session-activity";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { listen, type Running } from "./notification-service.js";

/** The session of the call that is handed on. */
const sessionKey = createContextKey<ReturnType<typeof sessionOf> | undefined>(undefined);

/** A real gateway finds these out: by its session store, the device's cookie, the country of the address. */
function sessionOf(header: Headers) {
  return {
    sessionId: header.get("demo-session") ?? "",
    userId: "ada",
    deviceId: header.get("demo-device") ?? "",
    country: header.get("demo-country") ?? "",
    userAgent: header.get("user-agent") ?? "",
  };
}

/** What clients reach: it drops session headers from outside, and hands calls on with a signed mark of its own. */
export async function startGateway(
  accountUrl: string,
  sign: SessionSigner,
): Promise<Running & { dropped(): SessionGuardStats }> {
  const guard = createSessionGuardInterceptor();
  const marking = createSessionGatewayInterceptor({
    session: ({ contextValues }) => contextValues.get(sessionKey),
    sign,
  });
  const sessionManager = new Http2SessionManager(accountUrl);
  const account = createClient(
    AccountService,
    createConnectTransport({ baseUrl: accountUrl, httpVersion: "2", sessionManager, interceptors: [marking] }),
  );
  const onward = ({ requestHeader, signal, timeoutMs }: HandlerContext): CallOptions => {
    const left = timeoutMs();
    const contextValues = createContextValues().set(sessionKey, sessionOf(requestHeader));
    return { signal, contextValues, ...(left !== undefined && { timeoutMs: left }) };
  };
  const running = await listen(
    createServer(
      connectNodeAdapter({
        interceptors: [guard],
        routes: (router) =>
          router.service(AccountService, {
            login: (request, context) => account.login(request, onward(context)),
            changePassword: (request, context) => account.changePassword(request, onward(context)),
            updateProfile: (request, context) => account.updateProfile(request, onward(context)),
            watchSessions: (request, context) => account.watchSessions(request, onward(context)),
          }),
      }),
    ),
  );
  return {
    url: running.url,
    dropped: () => guard.stats(),
    close() {
      sessionManager.abort();
      running.close();
    },
  };
}
