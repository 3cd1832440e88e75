import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { prometheusContentType } from "../telemetry/prometheus-text.js";

/** Where the health endpoint listens. Without a host on all of the machine's addresses. */
export interface HealthAddress {
  readonly port: number;
  readonly host: string | undefined;
}

/** What is asked about. The report holds counts only: whoever reaches the port may read it. */
export interface HealthReport {
  /** Whether it should go on running. */
  readonly live: boolean;
  /** Whether it does its work. */
  readonly ready: boolean;
}

/** A health endpoint. */
export interface Health {
  readonly port: number;
  close(): Promise<void>;
}

/** Whoever asks for health asks briefly. But an embedded database that makes itself may hold everything up for seconds. */
const requestTimeoutMs = 30_000;

/**
 * Opens a health endpoint: `/healthz` and `/readyz` answer with the report, and 200 or 503, and `/metrics` with the metrics in
 * Prometheus' text format. Rejects if it cannot listen.
 */
export async function startHealth(
  { port, host }: HealthAddress,
  report: () => HealthReport,
  metrics: () => string,
): Promise<Health> {
  const answers: Answers = new Map([
    ["/healthz", () => reportAnswer(report(), "live")],
    ["/readyz", () => reportAnswer(report(), "ready")],
    ["/metrics", () => ({ status: 200, type: prometheusContentType, body: metrics() })],
  ]);
  const timeouts = { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs };
  const server = createServer({ ...timeouts, connectionsCheckingInterval: 1_000 }, (request, response) => {
    send(response, answerTo(request, answers));
  });
  server.listen(port, host);
  await once(server, "listening");
  const address = server.address();
  return {
    port: address !== null && typeof address === "object" ? address.port : port,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

type Answers = ReadonlyMap<string, () => Answer>;

function answerTo({ method = "", url = "" }: IncomingMessage, answers: Answers): Answer {
  const answer = answers.get(url.split("?", 1)[0] ?? "");
  if (answer === undefined) return json(404, { error: "not found" });
  if (method === "GET" || method === "HEAD") return answer();
  return { ...json(405, { error: "GET only" }), headers: { allow: "GET, HEAD" } };
}

function reportAnswer(report: HealthReport, check: keyof HealthReport): Answer {
  return json(report[check] ? 200 : 503, report);
}

function json(status: number, body: object): Answer {
  return { status, type: "application/json", body: `${JSON.stringify(body)}\n` };
}

function send(response: ServerResponse, { status, type, body, headers }: Answer): void {
  const always = { "content-type": type, "cache-control": "no-store", connection: "close" };
  response.writeHead(status, { ...always, ...headers });
  // Node leaves the body out if HEAD asked.
  response.end(body);
}
