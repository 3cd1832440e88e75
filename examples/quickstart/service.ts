import { createServer } from "node:http2";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { sessionTrackingFromEnv, startSessionTracking } from "connect-session-activity/kafka";
import { routes } from "./routes.js";

const shutdown = new AbortController();
const tracking = startSessionTracking({ ...sessionTrackingFromEnv(), shutdownSignal: shutdown.signal });

const handler = connectNodeAdapter({
  routes,
  interceptors: [tracking.interceptor], // first
  contextValues: tracking.interceptor.contextValues,
  shutdownSignal: shutdown.signal,
});
const server = createServer(handler).listen(Number(process.env["PORT"] ?? 8080));

process.once("SIGTERM", () => {
  shutdown.abort(); // handlers learn that they should stop
  server.close(); // no new connections
  // Open calls end, and Kafka has their events; then leave whoever still keeps a connection open.
  void tracking.close().then(() => process.exit());
});
