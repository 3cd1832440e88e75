import type { ConnectRouter } from "@connectrpc/connect";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";

/** The service's handlers: nothing in them knows about session activities. */
export function routes(router: ConnectRouter): void {
  router.service(AccountService, {
    changePassword: () => ({ revision: 1 }),
  });
}
