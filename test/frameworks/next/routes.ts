import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { sessionHeaders } from "connect-session-activity";
import { AccountService } from "example-account";
import { seen } from "./tracking";

export const routes = (router: ConnectRouter): unknown =>
  router.service(AccountService, {
    changePassword: ({ oldPassword }, { requestHeader, signal }) => {
      for (const name of Object.values(sessionHeaders)) if (requestHeader.has(name)) seen.add(name);
      if (oldPassword === "wrong") throw new ConnectError("wrong password", Code.PermissionDenied);
      if (oldPassword !== "wait") return { revision: 1 };
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
    },
  });
