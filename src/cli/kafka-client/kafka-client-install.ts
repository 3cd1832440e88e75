import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { processEnvironment } from "../../base/environment.js";
import { packageManagerOf } from "../../base/package-manager.js";
import { runChild } from "./child-process.js";
import { buildKafkaClient } from "./kafka-client-build.js";
import {
  cacheFolder,
  clientName,
  copyNativePart,
  featuresOf,
  findKafkaClient,
  type KafkaClientPackage,
  keep,
  nativePart,
} from "./kafka-client-files.js";
import type { Progress } from "./progress.js";

/** How the native part is installed. */
export interface InstallOptions {
  /** Builds it, whatever is there already. */
  readonly fromSource: boolean;
  readonly progress: Progress;
}

/** What came of it. */
export interface InstalledClient {
  readonly version: string;
  /** Where the native part comes from. */
  readonly origin: "there already" | "from the cache" | "fetched" | "built";
  /** What the client can do, such as `ssl`. */
  readonly features: readonly string[];
}

/** In a network that drops what it does not allow, a connection fails after minutes. */
const fetchTimeoutMs = 60_000;

/**
 * Makes the Kafka client of a project load on this Node: with what is there, from the user's cache, fetched, or built.
 *
 * Rejects with an `Error` that says what to do if the client is not installed, or could not be built.
 */
export async function installKafkaClient(options: InstallOptions): Promise<InstalledClient> {
  const client = findKafkaClient();
  if (client === undefined) {
    const manager = packageManagerOf(fileURLToPath(import.meta.url));
    throw new Error(`the package ${clientName} is not installed. Run: ${manager.install(clientName)}`);
  }
  const { version } = client;
  const there = options.fromSource ? undefined : await obtain(client, options.progress);
  if (there !== undefined) return { version, ...there };
  await buildKafkaClient(client, { useCache: !options.fromSource, progress: options.progress });
  const features = featuresOf(client);
  if (features === undefined) throw new Error("it was built, but it cannot be loaded");
  keepForOthers(client, options.progress);
  return { version, origin: "built", features };
}

type Obtained = Omit<InstalledClient, "version"> | undefined;

async function obtain(client: KafkaClientPackage, progress: Progress): Promise<Obtained> {
  const there = featuresOf(client);
  if (there !== undefined) return { origin: "there already", features: there };
  copyNativePart(cacheFolder(client, nativePart()), client.folder);
  const cached = featuresOf(client);
  if (cached !== undefined) return { origin: "from the cache", features: cached };
  progress.say("fetching the native part of the Kafka client");
  await fetchNativePart(client);
  const fetched = featuresOf(client);
  if (fetched === undefined) {
    progress.say("it cannot be fetched from here, so it is built: once for all your projects");
    return undefined;
  }
  keepForOthers(client, progress);
  return { origin: "fetched", features: fetched };
}

/** What the client's own install script does first. */
async function fetchNativePart({ folder, find }: KafkaClientPackage): Promise<void> {
  const script = find("@mapbox/node-pre-gyp/bin/node-pre-gyp");
  const env = { ...processEnvironment, PATH: `${dirname(process.execPath)}:${processEnvironment["PATH"]}` };
  await runChild(process.execPath, [script, "install"], { cwd: folder, env, timeoutMs: fetchTimeoutMs });
}

function keepForOthers(client: KafkaClientPackage, progress: Progress): void {
  const problem = keep(cacheFolder(client, nativePart()), (fresh) => copyNativePart(client.folder, fresh));
  if (problem !== undefined) progress.say(`the native part is not kept for other projects: ${problem}`);
}
