// A service under load, in a process of its own: the account service with the interceptor and the Kafka publisher. It is
// forked, and speaks with its parent by messages. It notes every event at the moment when it is published.
import { createHash } from "node:crypto";
import { openSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import { type ConnectRouter, createClient, createRouterTransport } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { createKafkaPublisher, type KafkaPublisherOptions } from "../../src/kafka/index.js";
import type { Publisher, PublisherStats } from "../../src/publishing/publisher.js";
import { createSessionActivityInterceptor } from "../../src/service/interceptor.js";

/** What the parent gives as the first argument, as JSON. */
export interface ServiceSetting {
  readonly kafka: Omit<KafkaPublisherOptions, "key" | "log">;
  /** Whether each event's outcome is asked for: another path through the publisher. */
  readonly asksOutcomes: boolean;
  /** Marked calls that it makes to itself, in memory: more than a client of another process can make on a small machine. */
  readonly ownCallsPerSecond?: number;
  /** Where it notes what it published: a `Note` as JSON on each line. */
  readonly notes: string;
}

/** An event as it was published. */
export interface CapturedNote {
  readonly eventId: string;
  readonly instanceId: string;
  readonly sequence: number;
  /** SHA-256 of the record's value. */
  readonly hash: string;
}

/** What the publisher said became of an event, and when, in ms since 1970. */
export interface OutcomeNote {
  readonly eventId: string;
  readonly outcome: string;
  readonly at: number;
}

export type Note = CapturedNote | OutcomeNote;

/** What a service says, each after it was asked. */
export type ServiceAnswer =
  | { readonly kind: "ready"; readonly port: number }
  | { readonly kind: "stats"; readonly stats: PublisherStats; readonly rss: number; readonly lines: readonly string[] }
  | { readonly kind: "stopped" }
  | { readonly kind: "noted" }
  | { readonly kind: "closed"; readonly stats: PublisherStats };

const { kafka, asksOutcomes, ownCallsPerSecond = 0, notes }: ServiceSetting = JSON.parse(process.argv[2] ?? "{}");
const lines: string[] = [];
const keep = (level: string) => (details: object, message: string) => {
  lines.push(`${level}: ${message} ${JSON.stringify(details)}`);
};
const log = { debug() {}, info() {}, warn: keep("warn"), error: keep("error") };
const publisher = createKafkaPublisher({ ...kafka, log });

// On disk, so that the memory of this process is that of the package.
const file = openSync(notes, "w");
let unwritten = "";
function note(entry: Note): void {
  unwritten += `${JSON.stringify(entry)}\n`;
  if (unwritten.length > 65_536) write();
}
function write(): void {
  writeSync(file, unwritten);
  unwritten = "";
}

const noting: Publisher = {
  publish(record) {
    const { bytes, eventId, instanceId, sequence } = record;
    const hash = createHash("sha256").update(bytes).digest("base64");
    note({ eventId, instanceId, sequence: Number(sequence), hash });
    if (asksOutcomes) publisher.publish(record, (outcome) => note({ eventId, outcome, at: Date.now() }));
    else publisher.publish(record);
  },
  stats: () => publisher.stats(),
  close: () => publisher.close(),
};

const interceptor = createSessionActivityInterceptor({ service: "account-service", publisher: noting, log });
const routes = (router: ConnectRouter): void => {
  router.service(AccountService, { changePassword: () => ({ revision: 1 }), login: () => ({ sessionId: "s" }) });
};
const server = createServer(
  connectNodeAdapter({ routes, interceptors: [interceptor], contextValues: interceptor.contextValues }),
);
// A connection that is closed while a call is on its way to it would look like a failed call.
server.keepAliveTimeout = 0;
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  say({ kind: "ready", port: address !== null && typeof address === "object" ? address.port : 0 });
});

const own = createClient(AccountService, createRouterTransport(routes, { router: { interceptors: [interceptor] } }));
const headers = { "x-session-track": "true", "x-session-context": "c".repeat(100) };
let isStopped = false;
if (ownCallsPerSecond > 0) {
  const begun = performance.now();
  let made = 0;
  setInterval(() => {
    const due = ((performance.now() - begun) / 1_000) * ownCallsPerSecond;
    // What it could not make in time it leaves out: calls piled up would be memory that is not the package's.
    for (made = Math.max(made, due - 50); made < due && !isStopped; made += 1) void own.changePassword({}, { headers });
  }, 5);
}

process.on("message", ({ ask }: { ask: string }) => void answer(ask));
// Without its parent it has nothing to do.
process.on("disconnect", () => process.exit());

async function answer(ask: string): Promise<void> {
  if (ask === "stats") {
    say({ kind: "stats", stats: publisher.stats(), rss: process.memoryUsage.rss(), lines });
  } else if (ask === "stop") {
    isStopped = true;
    say({ kind: "stopped" });
  } else if (ask === "noted") {
    write();
    say({ kind: "noted" });
  } else {
    say({ kind: "closed", stats: await publisher.close() });
  }
}

function say(message: ServiceAnswer): void {
  process.send?.(message);
}
