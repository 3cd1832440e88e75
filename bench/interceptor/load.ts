import { join } from "node:path";
import { buildGo, builtFrom } from "../../test/support/built-tool.js";
import { root } from "../../test/support/root.js";
import { type PeerProcess, startProgram } from "../kit/peer-process.js";

/** Calls to make, a number of them at any time. */
export interface LoadJob {
  readonly protocol: Protocol;
  /** `host:port` */
  readonly target: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The request's bytes, in base64. */
  readonly message: string;
  /** Whether the answer is a stream. */
  readonly isStream: boolean;
  readonly calls: number;
  readonly concurrency: number;
}

export type Protocol = "grpc" | "connect";

/** How the calls went. If one fails, the job does. */
export interface LoadAnswer {
  readonly seconds: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

/** Starts the load generator: a program in Go, on one core, so that the server has one of its own. */
export function startLoad(): PeerProcess<LoadJob, LoadAnswer> {
  const sources = join(root, "bench", "load");
  const folder = builtFrom("bench-load", sources, (fresh) => buildGo(sources, fresh));
  return startProgram(join(folder, "load"), [], { GOMAXPROCS: "1" });
}
