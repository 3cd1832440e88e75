import { createServer } from "node:http2";
import { createClient } from "@connectrpc/connect";
import { connectNodeAdapter, createGrpcTransport } from "@connectrpc/connect-node";
import { createSessionRelay } from "connect-session-activity";
import { startSessionTracking } from "connect-session-activity/kafka";
import { createSessionKeySet, createSessionVerifier } from "connect-session-activity/signature";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { NotificationService } from "../../gen/example/notification/v1/notification_pb.js";

const keys = createSessionKeySet({ jwksUrl: process.env["GATEWAY_JWKS_URL"] ?? "http://localhost:8090/jwks" });
await keys.ready(); // resolves after the first fetch. If it failed, marks are `key_unknown` until a later one succeeds

const tracking = startSessionTracking({
  verify: createSessionVerifier({ keys, audience: "account-service" }),
  required: [AccountService.method.changePassword],
});

const relay = createSessionRelay();
const notifications = createClient(
  NotificationService,
  createGrpcTransport({
    baseUrl: process.env["NOTIFICATION_URL"] ?? "http://localhost:8083",
    interceptors: [relay.client],
  }),
);

const handler = connectNodeAdapter(
  tracking.adapterOptions({
    interceptors: [relay.server],
    routes: (router) =>
      router.service(AccountService, {
        async changePassword() {
          await notifications.notify({ text: "your password was changed" }); // with the session context
          return { revision: 2 };
        },
      }),
  }),
);

const server = tracking.watch(createServer(handler));
server.listen(Number(process.env["PORT"] ?? 8080));

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    keys.close();
    void tracking.shutDown().then(() => process.exit());
  });
}
