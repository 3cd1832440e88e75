import { createServer } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Client,
  Code,
  ConnectError,
  type ConnectRouter,
  createClient,
  type HandlerContext,
} from "@connectrpc/connect";
import { connectNodeAdapter, createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { annotateSessionActivity, createSessionRelay } from "connect-session-activity";
import type { SessionTracking } from "connect-session-activity/kafka";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { NotificationService } from "../../gen/example/notification/v1/notification_pb.js";
import { listen, type Running } from "./notification-service.js";
import { say, sessionHeadersIn } from "./print.js";

/**
 * The service under watch. Session tracking is two words here, `adapterOptions` and `watch`, and the relay of the session
 * context to other services takes two lines. The handlers do not know of them, but for one annotation.
 */
export async function startAccountService(tracking: SessionTracking, notificationUrl: string): Promise<Running> {
  const downstream = new Http2SessionManager(notificationUrl);
  const relay = createSessionRelay();
  const transport = createGrpcTransport({
    baseUrl: notificationUrl,
    sessionManager: downstream,
    interceptors: [relay.client],
  });
  const notifications = createClient(NotificationService, transport);

  const options = tracking.adapterOptions({
    routes: (router) => routes(router, notifications),
    interceptors: [relay.server],
  });
  const { url } = await listen(tracking.watch(createServer(connectNodeAdapter(options))));
  return { url, close: () => downstream.abort() };
}

function routes(router: ConnectRouter, notifications: Client<typeof NotificationService>): void {
  const sawHeaders = (context: HandlerContext): void => {
    say("handler", `saw ${sessionHeadersIn(context.requestHeader)}`);
  };
  router.service(AccountService, {
    login({ user, password }, context) {
      sawHeaders(context);
      if (password !== "correct horse") throw new ConnectError("wrong password", Code.Unauthenticated);
      annotateSessionActivity(context.values, { target: `user/${user}` });
      return { sessionId: "session-1" };
    },
    async changePassword(_, context) {
      sawHeaders(context);
      await notifications.notify({ text: "your password was changed" });
      return { revision: 2 };
    },
    deleteAccount(_, context) {
      sawHeaders(context);
      return {};
    },
    async updateProfile({ displayName }, context) {
      sawHeaders(context);
      // A slow database: the caller's deadline passes, and the profile is changed all the same.
      await sleep(400);
      return { displayName };
    },
    async *watchSessions({ limit }, context) {
      sawHeaders(context);
      for (let revision = 1; revision <= limit; revision++) {
        yield { revision };
        await sleep(20, undefined, { signal: context.signal });
      }
    },
  });
}
