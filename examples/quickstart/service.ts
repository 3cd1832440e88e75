import { createServer } from "node:http2";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { startSessionTracking } from "connect-session-activity/kafka";
import { routes } from "./routes.js";

const tracking = startSessionTracking();
const handler = connectNodeAdapter(tracking.adapterOptions({ routes }));
const server = tracking.watch(createServer(handler));
server.listen(Number(process.env["PORT"] ?? 8080));

for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void tracking.shutDown());
