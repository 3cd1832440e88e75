import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

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

/** Opens a health endpoint: `/healthz` and `/readyz` answer with the report, and 200 or 503. Rejects if it cannot listen. */
export async function startHealth({ port, host }: HealthAddress, report: () => HealthReport): Promise<Health> {
  const timeouts = { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs };
  const server = createServer({ ...timeouts, connectionsCheckingInterval: 1_000 }, (request, response) => {
    answer(request, response, report());
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

function answer({ method = "", url = "" }: IncomingMessage, response: ServerResponse, report: HealthReport): void {
  const checks = new Map([
    ["/healthz", report.live],
    ["/readyz", report.ready],
  ]);
  const holds = checks.get(url.split("?", 1)[0] ?? "");
  if (holds === undefined) send(response, 404, { error: "not found" });
  else if (method !== "GET" && method !== "HEAD")
    send(response.setHeader("allow", "GET, HEAD"), 405, { error: "GET only" });
  else send(response, holds ? 200 : 503, report);
}

function send(response: ServerResponse, status: number, body: object): void {
  // Node leaves the body out if HEAD asked.
  const headers = { "content-type": "application/json", "cache-control": "no-store", connection: "close" };
  response.writeHead(status, headers);
  response.end(`${JSON.stringify(body)}\n`);
}
