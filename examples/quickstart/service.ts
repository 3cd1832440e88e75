import { createServer, type ServerHttp2Session } from "node:http2";
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

const sessions = new Set<ServerHttp2Session>();
server.on("session", (session) => {
  sessions.add(session);
  session.once("close", () => sessions.delete(session));
});

process.once("SIGTERM", () => {
  shutdown.abort(); // handlers learn that they should stop
  server.close(); // no new connections
  for (const session of sessions) session.close(); // and no new calls on those that are open
  void tracking.close().then(() => process.exit()); // open calls end, and Kafka has their events
});
