// A service under load, in a process of its own: the account service with the interceptor and the Kafka publisher. It is
// forked, and speaks with its parent by messages. It notes every event at the moment when it is published.
import { createHash } from "node:crypto";
import { openSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import { toBinary } from "@bufbuild/protobuf";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { SessionActivityEventSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { createSessionActivityInterceptor } from "../../src/interceptor.js";
import { createKafkaPublisher, type KafkaPublisherOptions } from "../../src/kafka/index.js";
import type { Publisher, PublisherStats } from "../../src/publisher.js";

/** What the parent gives as the first argument, as JSON. */
export interface ServiceSetting {
  readonly kafka: Omit<KafkaPublisherOptions, "key" | "log">;
  /** Whether each event's outcome is asked for: another path through the publisher. */
  readonly asksOutcomes: boolean;
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
  | { readonly kind: "noted" }
  | { readonly kind: "closed"; readonly stats: PublisherStats };

const { kafka, asksOutcomes, notes }: ServiceSetting = JSON.parse(process.argv[2] ?? "{}");
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
  publish(event) {
    const hash = createHash("sha256").update(toBinary(SessionActivityEventSchema, event)).digest("base64");
    const { eventId, instanceId, sequence } = event;
    note({ eventId, instanceId, sequence: Number(sequence), hash });
    if (asksOutcomes) publisher.publish(event, (outcome) => note({ eventId, outcome, at: Date.now() }));
    else publisher.publish(event);
  },
  stats: () => publisher.stats(),
  close: () => publisher.close(),
};

const interceptor = createSessionActivityInterceptor({ service: "account-service", publisher: noting, log });
const server = createServer(
  connectNodeAdapter({
    routes: (router) =>
      router.service(AccountService, { changePassword: () => ({ revision: 1 }), login: () => ({ sessionId: "s" }) }),
    interceptors: [interceptor],
    contextValues: interceptor.contextValues,
  }),
);
// A connection that is closed while a call is on its way to it would look like a failed call.
server.keepAliveTimeout = 0;
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  say({ kind: "ready", port: address !== null && typeof address === "object" ? address.port : 0 });
});

process.on("message", ({ ask }: { ask: string }) => void answer(ask));
// Without its parent it has nothing to do.
process.on("disconnect", () => process.exit());

async function answer(ask: string): Promise<void> {
  if (ask === "stats") {
    say({ kind: "stats", stats: publisher.stats(), rss: process.memoryUsage.rss(), lines });
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
