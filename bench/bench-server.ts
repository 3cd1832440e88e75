// A Connect server for calls.ts: with the interceptor where brokers are given, without it where none are.
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { startSessionTracking } from "connect-session-activity/kafka";
import { AccountService } from "../gen/example/account/v1/account_pb.js";
import { mainThreadCpuUs } from "./measure.js";

const brokers = process.argv[2];
const tracking =
  brokers === undefined ? undefined : startSessionTracking({ service: "account-service", kafka: { brokers } });
const handler = connectNodeAdapter({
  routes: (router) => router.service(AccountService, { changePassword: () => ({}) }),
  ...(tracking && {
    interceptors: [tracking.interceptor],
    contextValues: tracking.interceptor.contextValues,
  }),
});
const server = createServer(handler).listen(0, "127.0.0.1", () => {
  process.send?.(String((server.address() as AddressInfo).port));
});
process.on("message", () => process.send?.(mainThreadCpuUs()));
process.on("disconnect", () => {
  const dropped = tracking?.publisher.stats().dropped ?? {};
  if (Object.keys(dropped).length > 0) console.log(`dropped: ${JSON.stringify(dropped)}`);
  process.exit();
});
