import { join } from "node:path";
import { root } from "../../test/support/root.js";
import type { Sample, Variant } from "../kit/comparison.js";
import { scriptOf, type VersionEnd } from "../kit/compiled-packages.js";
import { type PeerProcess, startScript } from "../kit/peer-process.js";
import { cpuBetween, threadsOf } from "../kit/thread-cpu.js";
import { type CallKind, headersOf, publicJwks } from "./call-settings.js";
import type { InterceptorVariant } from "./interceptor-variants.js";
import type { LoadAnswer, LoadJob, Protocol } from "./load.js";
import type { ServerAnswer, ServerConfig, ServerQuestion } from "./server-questions.js";

/** What all servers of a run share. */
export interface FleetParts {
  readonly load: PeerProcess<LoadJob, LoadAnswer>;
  readonly brokers: string;
  readonly topic: string;
  readonly eventBytes: number;
}

/** A server of each kind. */
export interface ServerFleet {
  /** What measures a variant with so many calls of a kind. */
  variant(one: InterceptorVariant, kind: CallKind, protocol: Protocol, calls: number): Promise<Variant>;
  /** From here on, the control burns so much in each call. */
  setBurn(us: number): Promise<void>;
  close(): Promise<void>;
}

type Server = PeerProcess<ServerQuestion, ServerAnswer>;

/** How many calls there are at any time. */
const concurrency = 16;

/** Starts a server for each variant. Two that are the same thing are two servers all the same. */
export async function startFleet(
  end: VersionEnd,
  variants: readonly InterceptorVariant[],
  { load, brokers, topic, eventBytes }: FleetParts,
): Promise<ServerFleet> {
  const script = scriptOf(end, "interceptor/bench-server.js");
  const rivals = join(root, "bench", "rivals", "dist");
  const servers = new Map<string, Server>();
  for (const { name, kind } of variants) {
    const config: ServerConfig = { kind, brokers, topic, publicJwks, rivals, eventBytes };
    servers.set(name, await startScript<ServerQuestion, ServerAnswer>(script, [JSON.stringify(config)]));
  }

  return {
    async variant(one, kind, protocol, calls) {
      const server = servers.get(one.name);
      if (server === undefined) throw new Error(`there is no server for ${one.name}`);
      const headers = await headersOf(one.mark, kind.path);
      const { port } = await server.ask({});
      const target = `127.0.0.1:${port}`;
      const { path, message, isStream } = kind;
      const job: LoadJob = { protocol, target, path, headers, message, isStream, calls, concurrency };
      return { name: one.name, measure: () => measure(one, server, load, job) };
    },
    async setBurn(burnUs) {
      for (const server of servers.values()) await server.ask({ burnUs });
    },
    async close() {
      await Promise.all([...servers.values()].map((server) => server.end()));
    },
  };
}

/** A round of calls, to the delivery of their events. All figures are per call. */
async function measure(
  { name, events }: InterceptorVariant,
  server: Server,
  load: FleetParts["load"],
  job: LoadJob,
): Promise<Sample> {
  const first = await server.ask({});
  const before = threadsOf(server.pid);
  const { seconds, p50Us, p99Us } = await load.ask(job);
  const last = await server.ask({});
  const { allUs, mainUs, kafkaUs, otherUs } = cpuBetween(server.pid, before, threadsOf(server.pid));
  const tracked = last.tracked - first.tracked;
  const expected = (events ?? 0) * job.calls;
  if (tracked !== expected || Object.keys(last.failures).length > 0)
    throw new Error(`${name}: ${tracked} of ${expected} events, ${JSON.stringify(last.failures)}`);
  const { calls } = job;
  return {
    cpuUs: allUs / calls,
    mainUs: mainUs / calls,
    kafkaUs: kafkaUs / calls,
    otherUs: otherUs / calls,
    perSecond: calls / seconds,
    p50Us,
    p99Us,
    mainShare: mainUs / (seconds * 1e6),
  };
}
