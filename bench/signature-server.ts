// A Connect server for signature.ts. Its argument: `plain`, `tracked` (marks are believed), or `verified`; with the public keys.
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { createSessionActivityInterceptor, type Publisher } from "connect-session-activity";
import { createSessionKeySet, createSessionVerifier } from "connect-session-activity/signature";
import { AccountService } from "../gen/example/account/v1/account_pb.js";
import { mainThreadCpuUs } from "./measure.js";

const [variant, keys = "[]"] = process.argv.slice(2);
const discard: Publisher = {
  publish() {},
  stats: () => ({ offered: 0, delivered: 0, dropped: {}, queued: 0 }),
  close: () => Promise.resolve(discard.stats()),
};

function createInterceptor() {
  if (variant === "plain") return undefined;
  const verify = createSessionVerifier({
    keys: createSessionKeySet({ keys: JSON.parse(keys) }),
    audience: "account-service",
    maxAgeMs: 3_600_000,
  });
  return createSessionActivityInterceptor({
    service: "account-service",
    publisher: discard,
    verify: variant === "verified" ? verify : undefined,
  });
}

const interceptor = createInterceptor();
const handler = connectNodeAdapter({
  routes: (router) => router.service(AccountService, { changePassword: () => ({}) }),
  ...(interceptor && { interceptors: [interceptor], contextValues: interceptor.contextValues }),
});
const server = createServer(handler).listen(0, "127.0.0.1", () => {
  process.send?.((server.address() as AddressInfo).port);
});
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send?.({
    mainUs: mainThreadCpuUs(),
    allUs: user + system,
    unverified: interceptor?.stats().unverified ?? {},
  });
});
process.on("disconnect", () => process.exit());
