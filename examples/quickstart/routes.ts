import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";

/** The service's handlers: nothing in them knows about session activities. */
export function routes(router: ConnectRouter): void {
  router.service(AccountService, {
    changePassword({ oldPassword }) {
      if (oldPassword !== "correct horse") throw new ConnectError("wrong password", Code.PermissionDenied);
      return { revision: 2 };
    },
  });
}
