import { join } from "node:path";
import { root } from "../../test/support/root.js";
import type { Sample, Variant } from "../kit/comparison.js";
import { scriptOf, type VersionEnd } from "../kit/compiled-packages.js";
import { type PeerProcess, startScript } from "../kit/peer-process.js";
import { cpuBetween, threadsOf } from "../kit/thread-cpu.js";
import { type CallKind, headersOf, publicJwks } from "./call-settings.js";
import { control, type InterceptorVariant } from "./interceptor-variants.js";
import type { LoadAnswer, LoadJob, Protocol } from "./load.js";
import type { ServerAnswer, ServerQuestion, ServersConfig } from "./server-questions.js";

/** What all servers of a run share. */
export interface FleetParts {
  readonly load: PeerProcess<LoadJob, LoadAnswer>;
  readonly brokers: string;
  readonly topic: string;
  readonly eventBytes: number;
}

/** A server of each kind, all in one process: two processes of Node differ by more than what is compared. */
export interface ServerFleet {
  /** What measures a variant with so many calls of a kind. */
  variant(one: InterceptorVariant, kind: CallKind, protocol: Protocol, calls: number): Promise<Variant>;
  /** From here on, the control burns so much in each call. */
  setBurn(us: number): Promise<void>;
  /** Clears the heap. That costs all servers their compiled code, so let each of them warm up. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

type Servers = PeerProcess<ServerQuestion, ServerAnswer>;

/**
 * The old generation may grow to some gigabytes, until it is cleared. Otherwise a large collection, which takes longer than a turn,
 * would count for whichever server had its turn. The young generation keeps the size that it has under load, and code that waits
 * for its turn is kept.
 */
const nodeOptions = [
  "--expose-gc",
  "--heap-growing-percent=20000",
  "--max-old-space-size=8192",
  "--min-semi-space-size=16",
  "--no-flush-bytecode",
];

/** How many calls there are at any time. */
const concurrency = 16;

/** Starts a process with a server for each variant. Two that are the same thing are two servers all the same. */
export async function startFleet(
  end: VersionEnd,
  variants: readonly InterceptorVariant[],
  { load, brokers, topic, eventBytes }: FleetParts,
): Promise<ServerFleet> {
  const script = scriptOf(end, "interceptor/bench-servers.js");
  const rivals = join(root, "bench", "rivals", "dist");
  const kinds = Object.fromEntries(variants.map(({ name, kind }) => [name, kind]));
  const config: ServersConfig = { kinds, brokers, topic, publicJwks, rivals, eventBytes };
  const servers: Servers = await startScript(script, [JSON.stringify(config)], nodeOptions);

  return {
    async variant(one, kind, protocol, calls) {
      const headers = await headersOf(one.mark, kind.path);
      const { port } = await servers.ask({ name: one.name });
      const target = `127.0.0.1:${port}`;
      const { path, message, isStream } = kind;
      const job: LoadJob = { protocol, target, path, headers, message, isStream, calls, concurrency };
      return { name: one.name, measure: () => measure(one, servers, load, job) };
    },
    async setBurn(burnUs) {
      await servers.ask({ name: control, burnUs });
    },
    async clear() {
      await servers.ask({ name: control, clears: true });
    },
    close: () => servers.end(),
  };
}

/**
 * A turn of calls, to the delivery of their events. All figures are per call. The young generation is collected before and after:
 * otherwise one collection more or less would count for whoever has it.
 */
async function measure(
  { name, events }: InterceptorVariant,
  servers: Servers,
  load: FleetParts["load"],
  job: LoadJob,
): Promise<Sample> {
  const first = await servers.ask({ name });
  const before = threadsOf(servers.pid);
  const { seconds, p50Us, p99Us } = await load.ask(job);
  const last = await servers.ask({ name });
  const { allUs, mainUs, kafkaUs, otherUs } = cpuBetween(servers.pid, before, threadsOf(servers.pid));
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
