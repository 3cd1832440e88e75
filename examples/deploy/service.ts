import { createServer as createHealthServer } from "node:http";
import { createServer } from "node:http2";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { startSessionTracking } from "connect-session-activity/kafka";
import { routes } from "../quickstart/routes.js";

const tracking = startSessionTracking();
const server = tracking.watch(createServer(connectNodeAdapter(tracking.adapterOptions({ routes }))));
server.listen(Number(process.env["PORT"] ?? 8080));

/** On a port of its own, over HTTP/1.1: probes of Kubernetes do not speak HTTP/2. */
const health = createHealthServer(({ url }, response) => {
  const { ready, problems } = tracking.ready();
  response.writeHead(ready || url === "/healthz" ? 200 : 503, { connection: "close" });
  response.end(JSON.stringify({ ready, problems }));
}).listen(Number(process.env["HEALTH_PORT"] ?? 8081));

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    // It goes on answering until all is done: not ready, and alive.
    void tracking.shutDown().then(() => health.close());
  });
}
