// The service under test: `node lab-server.js --record FILE --key FILE --cert FILE [--blocked 0.6]`.
//
// It serves the account service over HTTP/1.1 and HTTP/2, each with and without TLS. It prints its ports, and writes what it
// sees of the calls into the record: see lab-record.ts. It ends, with its counts, when its standard input ends.
import { channel } from "node:diagnostics_channel";
import { createWriteStream, readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { createServer as createHttp2Server, createSecureServer } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import type { Interceptor } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import type { SessionActivityEvent } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import type { Logger } from "../../src/base/log.js";
import { readTimeoutMs } from "../../src/contract/timeout.js";
import type { Publisher } from "../../src/publishing/publisher.js";
import { buildInterceptor } from "../../src/service/interceptor.js";
import { interceptorSettings } from "../../src/service/interceptor-options.js";
import { Shutdown } from "../../src/service/shutdown.js";
import { createTracking } from "../../src/service/tracking.js";
import { blockLoop } from "../support/block-loop.js";
import { labRoutes } from "./lab-handlers.js";
import type { EventLine, LeavingLine, Ports, RecordLine } from "./lab-record.js";

const settleTimeoutMs = 2_000;
const contextHeader = "x-session-context";

const { values } = parseArgs({
  options: {
    record: { type: "string" },
    key: { type: "string" },
    cert: { type: "string" },
    blocked: { type: "string", default: "0" },
  },
});
const { record = "", key = "", cert = "" } = values;

const file = createWriteStream(record);
const write = (line: RecordLine): void => void file.write(`${JSON.stringify(line)}\n`);

const warnings: Record<string, number> = {};
let published = 0;
const publisher: Publisher = {
  publish(event, settled) {
    published += 1;
    write(eventLine(event.decode()));
    settled?.("delivered", event);
  },
  stats: () => ({ offered: published, delivered: published, dropped: {}, queued: 0 }),
  close: () => Promise.resolve(publisher.stats()),
};

const shutdown = new Shutdown();
const note = (_: object, message: string): void => {
  warnings[message] = (warnings[message] ?? 0) + 1;
};
const log: Logger = { debug() {}, info() {}, warn: note, error: note };
const settings = interceptorSettings({
  service: "account-service",
  publisher,
  settleTimeoutMs,
  log,
});
const interceptor = buildInterceptor(settings, shutdown);
const tracking = createTracking({
  interceptor,
  publisher,
  shutdown,
  drainTimeoutMs: settleTimeoutMs,
  log: settings.log,
});

/** Stands behind the interceptor under test, which should publish one event for each call that comes here. */
const notes: Interceptor = (next) => (call) => {
  const id = call.header.get(contextHeader);
  if (id !== null) {
    const timeout = readTimeoutMs(call.header);
    const userAgent = call.header.get("user-agent");
    write({
      line: "reached",
      id,
      ...(timeout !== undefined && { timeoutMs: timeout }),
      ...(userAgent !== null && { userAgent }),
    });
  }
  return next(call);
};

interface LeavingMessage {
  readonly call: { readonly header: Headers };
  readonly leaving: LeavingLine["leaving"];
  readonly verdict: LeavingLine["verdict"];
}

channel("connect-session-activity:leaving").subscribe((message) => {
  const { call, leaving, verdict } = message as LeavingMessage;
  write({ line: "leaving", id: call.header.get(contextHeader) ?? "", leaving, verdict });
});

const handler = connectNodeAdapter(tracking.adapterOptions({ routes: labRoutes, interceptors: [notes] }));
const secrets = { key: readFileSync(key), cert: readFileSync(cert) };
const servers = {
  h1: createServer(handler),
  h2c: createHttp2Server(handler),
  https: createHttpsServer(secrets, handler),
  h2: createSecureServer(secrets, handler),
};
const ports: Ports = { h1: 0, h2c: 0, https: 0, h2: 0 };
for (const name of ["h1", "h2c", "https", "h2"] as const) {
  const server = servers[name];
  server.on("request", ({ headers }: Pick<IncomingMessage, "headers">) => {
    const id = headers[contextHeader];
    if (typeof id === "string") write({ line: "request", id });
  });
  tracking.watch(server);
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
  ports[name] = (server.address() as AddressInfo).port;
}
process.stdout.write(`${JSON.stringify(ports)}\n`);
if (Number(values.blocked) > 0) blockLoop(Number(values.blocked));

process.stdin.on("end", () => void end()).resume();

async function end(): Promise<void> {
  await tracking.shutDown({ graceMs: 0 });
  write({ line: "stats", stats: tracking.stats(), warnings });
  file.end((error?: Error | null) => process.exit(error ? 1 : 0));
}

/** What the events of this and of later versions hold. */
function eventLine(event: SessionActivityEvent): EventLine {
  const { statusInferred, attempt, timeout } = event as Partial<{
    statusInferred: boolean;
    attempt: number;
    timeout: SessionActivityEvent["duration"];
  }>;
  return {
    line: "event",
    id: event.encodedSessionContext,
    status: event.status,
    handlerStatus: event.handlerStatus,
    durationMs: inMs(event.duration) ?? 0,
    ...(statusInferred !== undefined && { inferred: statusInferred }),
    ...(attempt !== undefined && { attempt }),
    ...(timeout !== undefined && { timeoutMs: inMs(timeout) ?? 0 }),
  };
}

function inMs(duration: SessionActivityEvent["duration"]): number | undefined {
  return duration === undefined ? undefined : Number(duration.seconds) * 1_000 + duration.nanos / 1e6;
}
