import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { nextJsApiRouter } from "@connectrpc/connect-next";
import { sessionHeaders } from "connect-session-activity";
import { AccountService } from "example-account";
import { interceptor, seen } from "../../tracking";

const routes = (router: ConnectRouter): unknown =>
  router.service(AccountService, {
    changePassword: ({ oldPassword }, { requestHeader, signal }) => {
      for (const name of Object.values(sessionHeaders)) if (requestHeader.has(name)) seen.add(name);
      if (oldPassword === "wrong") throw new ConnectError("wrong password", Code.PermissionDenied);
      if (oldPassword !== "wait") return { revision: 1 };
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
    },
  });

const { handler, config } = nextJsApiRouter({
  routes,
  interceptors: [interceptor],
  contextValues: (request) => interceptor.contextValues(request),
});

export { config, handler as default };
