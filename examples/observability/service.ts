import { createServer } from "node:http2";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { startSessionTracking } from "connect-session-activity/kafka";
import { instrumentSessionTracking } from "connect-session-activity/telemetry";
import { routes } from "../quickstart/routes.js";

const exporter = new PrometheusExporter({ port: Number(process.env["METRICS_PORT"] ?? 9464) });
const provider = new MeterProvider({ readers: [exporter] });

const tracking = startSessionTracking();
instrumentSessionTracking(tracking, { meter: provider.getMeter("connect-session-activity") });

const server = tracking.watch(createServer(connectNodeAdapter(tracking.adapterOptions({ routes }))));
server.listen(Number(process.env["PORT"] ?? 8080));

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    void tracking.shutDown().then(() => provider.shutdown());
  });
}
