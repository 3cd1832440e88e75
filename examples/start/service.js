import { createServer } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { startSessionTracking } from "connect-session-activity/kafka";
import { AccountService } from "./gen/account_pb.js";

const tracking = startSessionTracking();
const handler = connectNodeAdapter(
  tracking.adapterOptions({
    routes: (router) =>
      router.service(AccountService, {
        changePassword() {
          throw new ConnectError("wrong password", Code.PermissionDenied);
        },
      }),
  }),
);
const server = tracking.watch(createServer(handler));
server.listen(Number(process.env.PORT ?? 8080));

for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => void tracking.shutDown());
