// Connect servers with the interceptors that are compared: `node bench-servers.js CONFIG`, which is a ServersConfig in JSON.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { ConnectRouter, Interceptor } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { createMemoryPublisher, createSessionActivityInterceptor } from "connect-session-activity";
import { startSessionTracking } from "connect-session-activity/kafka";
import { createSessionKeySet, createSessionVerifier } from "connect-session-activity/signature";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { answerParent } from "../kit/peer-process.js";
import { bareProduce, burning, type Drain, naive, passThrough } from "./interceptors.js";
import {
  audience,
  type ServerAnswer,
  type ServerKind,
  type ServerQuestion,
  type ServersConfig,
} from "./server-questions.js";

const config = JSON.parse(process.argv[2] ?? "{}") as ServersConfig;
let burnUs = 0;

/** A server on which nothing listens yet, and what there is to know about its events. */
interface Wired {
  readonly server: Http2Server;
  readonly drain?: Drain;
  readonly counts?: () => Omit<ServerAnswer, "port">;
}

function routes(router: ConnectRouter): void {
  router.service(AccountService, {
    changePassword: () => ({}),
    updateProfile: ({ displayName }) => ({ displayName }),
    async *watchSessions({ limit }) {
      for (let revision = 1; revision <= limit; revision++) yield { revision, note: "a session came or went" };
    },
  });
}

function wire(interceptors: Interceptor[], drain: Drain = () => Promise.resolve()): Wired {
  return { server: createServer(connectNodeAdapter({ routes, interceptors })), drain };
}

/** This package as its README says. Without brokers, events are dropped where the publisher would take them. */
function wireTracking(options: Omit<Parameters<typeof startSessionTracking>[0] & object, "service" | "env">): Wired {
  const isDiscarding = options.kafka === undefined;
  const tracking = startSessionTracking({
    service: audience,
    env: false,
    ...(isDiscarding && { log: false }),
    ...options,
  });
  return {
    server: tracking.watch(createServer(connectNodeAdapter(tracking.adapterOptions({ routes })))),
    drain: () => tracking.flush({ timeoutMs: 60_000 }),
    counts() {
      const { interceptor, publisher } = tracking.stats();
      const { no_brokers: _, ...dropped } = publisher.dropped;
      return {
        tracked: interceptor.tracked,
        failures: { ...dropped, ...interceptor.skipped, ...interceptor.unverified },
      };
    },
  };
}

/** The same with a spool of its own, which goes with the process. */
function wireSpool(durability: "process" | "power"): Wired {
  const directory = mkdtempSync(join(tmpdir(), "bench-spool-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  const { brokers, topic } = config;
  return wireTracking({ kafka: { brokers, topic }, spool: { directory, durability } });
}

function wireMemory(): Wired {
  const publisher = createMemoryPublisher();
  const interceptor = createSessionActivityInterceptor({ service: audience, publisher });
  const { contextValues } = interceptor;
  return {
    server: createServer(connectNodeAdapter({ routes, interceptors: [interceptor], contextValues })),
    // It would keep all events of the run.
    drain: async () => void (publisher.events as unknown[]).splice(0),
    counts: () => ({ tracked: interceptor.stats().tracked, failures: interceptor.stats().skipped }),
  };
}

function wireVerified(): Wired {
  const keys = createSessionKeySet({ keys: config.publicJwks });
  return wireTracking({ verify: createSessionVerifier({ keys, audience, maxAgeMs: 3_600_000 }) });
}

/** One of the folder of rivals, whose packages are its own. */
async function wireRival(name: string): Promise<Wired> {
  const { interceptor } = await import(pathToFileURL(`${config.rivals}/${name}.js`).href);
  return wire([interceptor]);
}

async function wireFloor(): Promise<Wired> {
  const { interceptor, drain } = await bareProduce(config.brokers, config.topic, config.eventBytes);
  return wire([interceptor], drain);
}

const wirings: Readonly<Record<ServerKind, () => Wired | Promise<Wired>>> = {
  none: () => wire([]),
  "pass-through": () => wire([passThrough]),
  burning: () => wire([burning(() => burnUs)]),
  floor: wireFloor,
  discard: () => wireTracking({}),
  memory: wireMemory,
  kafka: () => wireTracking({ kafka: { brokers: config.brokers, topic: config.topic } }),
  spool: () => wireSpool("process"),
  "spool, power": () => wireSpool("power"),
  verified: wireVerified,
  naive: async () => wire([await naive(config.brokers, config.topic)]),
  span: () => wireRival("span-interceptor"),
  validate: () => wireRival("validate-interceptor"),
};

const servers = new Map<string, Wired>();
for (const [name, kind] of Object.entries(config.kinds)) {
  const wired = await wirings[kind]();
  await new Promise<void>((resolve) => {
    wired.server.listen(0, "127.0.0.1", resolve);
  });
  servers.set(name, wired);
}

answerParent(async (question: ServerQuestion): Promise<ServerAnswer> => {
  burnUs = question.burnUs ?? burnUs;
  const wired = servers.get(question.name);
  if (wired === undefined) throw new Error(`there is no server for ${question.name}`);
  await wired.drain?.();
  gc?.({ type: question.clears === true ? "major" : "minor" });
  const { port } = wired.server.address() as AddressInfo;
  return { port, tracked: 0, failures: {}, ...wired.counts?.() };
});
