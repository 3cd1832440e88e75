import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createClient, createContextKey, createContextValues, type HandlerContext } from "@connectrpc/connect";
import { connectNodeAdapter, createConnectTransport } from "@connectrpc/connect-node";
import { createSessionGatewayInterceptor, createSessionGuardInterceptor } from "connect-session-activity";
import { createSessionSigner } from "connect-session-activity/signature";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";

const sessionKey = createContextKey<{ sessionId: string; userId: string } | undefined>(undefined);

const marking = createSessionGatewayInterceptor({
  session: ({ contextValues }) => contextValues.get(sessionKey), // a SessionContext, or a string of your own; undefined: no mark
  sign: createSessionSigner({ keyFile: "session-keys/signing-key.json", audience: "account-service" }),
});

const account = createClient(
  AccountService,
  createConnectTransport({
    baseUrl: process.env["ACCOUNT_URL"] ?? "http://localhost:8080",
    httpVersion: "2",
    interceptors: [marking], // last
  }),
);

/** Your own: who calls? */
function sessionOf({ requestHeader }: HandlerContext) {
  const user = requestHeader.get("demo-user");
  return user === null ? undefined : { sessionId: `session of ${user}`, userId: user };
}

const onward = (context: HandlerContext) => ({
  signal: context.signal,
  contextValues: createContextValues().set(sessionKey, sessionOf(context)),
});

const handler = connectNodeAdapter({
  interceptors: [createSessionGuardInterceptor()], // first
  routes: (router) =>
    router.service(AccountService, {
      login: (request, context) => account.login(request, onward(context)),
      changePassword: (request, context) => account.changePassword(request, onward(context)),
    }),
  // Where services fetch the public keys. A rotation changes them.
  fallback({ url }, response) {
    response.statusCode = url === "/jwks" ? 200 : 404;
    response.end(url === "/jwks" ? readFileSync("session-keys/jwks.json") : "");
  },
});

const server = createServer(handler).listen(Number(process.env["PORT"] ?? 8090));
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    server.close();
    server.closeAllConnections();
    process.exit();
  });
}
