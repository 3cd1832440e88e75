import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { errorMessage } from "../base/errors.js";
import { failureOf } from "../base/failure.js";
import { createTroubleLog, type TroubleLog } from "../base/log.js";
import { resolvesWithin } from "../base/timing.js";
import { type ActivitySearch, createActivitySearch } from "../history/activity-search.js";
import { reasonOf } from "../history/database-failure.js";
import { createSignalHistory, type SignalDatabase } from "../history/index.js";
import type { KafkaTrouble } from "../kafka/client/kafka-troubles.js";
import { followTopic, type TopicTail } from "../kafka/consumer/topic-tail.js";
import { createGate } from "./access.js";
import { type Audit, createAudit, noAudit } from "./audit.js";
import type { ConsoleOptions, ConsoleSettings } from "./console-options.js";
import { createListener } from "./console-server.js";
import { consoleSettings } from "./console-settings.js";
import type { ConsoleTrouble } from "./console-troubles.js";
import { createViews } from "./history-views.js";
import { LiveFeed } from "./live-feed.js";
import { createMaskedView } from "./masked-view.js";
import { loadAssets } from "./page-assets.js";
import { RunTable } from "./run-table.js";
import { systemUser } from "./system-user.js";

/** A running console. */
export interface SessionConsole {
  /** The address to open. It works once, within an hour; with `proxyHeader` it is that of the proxy. */
  readonly address: string;
  readonly port: number;
  /** Ends all connections, and what was opened here. Always resolves. Idempotent. */
  close(): Promise<void>;
}

/** How long the start waits for a place in the topic. After that, the page says that Kafka is away. */
const beginTimeoutMs = 5_000;
/** Whoever is let in asks briefly. Streams are not requests that take long: their headers are sent at once. */
const requestTimeoutMs = 15_000;
const maxConnections = 256;

/**
 * Starts a web console to follow sessions: live from Kafka, and back in time from a signal history, which it only reads. It
 * listens on this machine's loopback. Who opens `address` first is let in, by a cookie.
 *
 * Each look is an event on the trail. Rejects if it cannot be written there and `noAudit` is not set, if the history's schema
 * is of another version, if the port is taken, and with an `OptionError` for wrong options.
 *
 * @example
 * const console = await startConsole({ brokers: "localhost:9092", database });
 * process.stdout.write(`${console.address}\n`);
 */
export async function startConsole(options: ConsoleOptions = {}): Promise<SessionConsole> {
  const { settings, openDatabase } = consoleSettings(options);
  const { database, close: closeDatabase } = openDatabase();
  const closers = [closeDatabase];
  const close = onceOnly(async () => {
    for (const closer of closers.toReversed()) await closer().catch(() => {});
  });
  try {
    return await start(settings, database, closers, close);
  } catch (error) {
    await close();
    throw error;
  }
}

type Closer = () => Promise<unknown>;

async function start(
  settings: ConsoleSettings,
  database: SignalDatabase,
  closers: Closer[],
  close: () => Promise<void>,
): Promise<SessionConsole> {
  const log = createTroubleLog<ConsoleTrouble>(settings.log);
  const assets = loadAssets();
  const search = createActivitySearch(database, settings.schema);
  await checkHistory(search, log);
  const audit = settings.noAudit ? noAudit : createAudit(settings);
  closers.push(() => audit.close());
  await writeStart(audit);
  const { feed, runs } = await follow(settings, closers);
  const server = createServer({ requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs });
  server.maxConnections = maxConnections;
  const port = await listen(server, settings, closers);
  const gate = createGate(settings, port);
  const { current } = createSignalHistory({ database, schema: settings.schema, env: false, log: false });
  const views = createViews({ search, current, feed, view: feed.view });
  server.on("request", createListener({ gate, assets, views, feed, runs, audit, topic: settings.topic, log }));
  return { address: gate.address, port, close };
}

/** A database that is away may come back. One of another version stays so. */
async function checkHistory(search: ActivitySearch, log: TroubleLog<ConsoleTrouble>): Promise<void> {
  try {
    await search.check();
  } catch (error) {
    if (failureOf(error) !== "passing") throw error;
    log.warn("history_failed", reasonOf(error), "The history does not answer: until it does, only the live view works");
  }
}

async function writeStart(audit: Audit): Promise<void> {
  try {
    await audit.write("console.start", systemUser(), "");
  } catch (cause) {
    const message = `the console cannot write to the trail who looks at what: ${errorMessage(cause)}. Mend that, or start it with noAudit`;
    throw new Error(message, { cause });
  }
}

async function follow(settings: ConsoleSettings, closers: Closer[]): Promise<{ feed: LiveFeed; runs: RunTable }> {
  const { brokers, topic, runsTopic, oauthToken, properties } = settings;
  const kafkaLog = createTroubleLog<KafkaTrouble>(settings.log);
  const client = { brokers, oauthToken, properties, groupId: "session-activity-console" };
  const runs = new RunTable(Date.now());
  const connections: { events?: TopicTail; runs?: TopicTail } = {};
  const feed = new LiveFeed({
    runs,
    view: createMaskedView(),
    connections: () => ({
      eventsConnected: connections.events?.isConnected() === true,
      runsConnected: connections.runs?.isConnected() === true,
    }),
  });
  closers.push(async () => feed.close());
  const events = followTopic({ ...client, topic, from: "newest" }, (messages) => feed.takeEvents(messages), kafkaLog);
  closers.push(() => events.close());
  const records = followTopic(
    { ...client, topic: runsTopic, from: "oldest" },
    (messages) => feed.takeRuns(messages),
    kafkaLog,
  );
  closers.push(() => records.close());
  Object.assign(connections, { events, runs: records });
  await resolvesWithin(beginTimeoutMs, events.begun);
  return { feed, runs };
}

async function listen(server: Server, { port, host }: ConsoleSettings, closers: Closer[]): Promise<number> {
  server.listen(port, host);
  await once(server, "listening");
  closers.push(async () => {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  });
  const address: AddressInfo | string | null = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}

function onceOnly(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= work();
    return done;
  };
}
