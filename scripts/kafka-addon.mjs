// The native part of @confluentinc/kafka-javascript. It is kept in the user's cache folder.
//
// Its own install step fetches a prebuilt binary from GitHub. If that cannot be reached it compiles, and then by default it
// fetches the sources of OpenSSL, zstd and curl, too. CKJS_LINKING=dynamic makes it use what the machine has instead, so that it
// needs a C++ compiler, make and python3 only.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fail } from "./fail.mjs";
import { cache } from "./node-binary.mjs";
import { npm } from "./packages.mjs";

const libraries = ["librdkafka", "librdkafka++"];
const addon = ["build/Release/confluent-kafka-javascript.node", ...libraries.map((name) => `build/deps/${name}.so.1`)];

/** Makes the Kafka client of a package load on the running Node. */
export function ensureAddon(root) {
  const kafka = join(root, "node_modules", "@confluentinc", "kafka-javascript");
  if (!existsSync(kafka) || loads(kafka)) return;
  const cached = cacheFolder(kafka, `abi${process.versions.modules}`);
  copyAddon(cached, kafka);
  if (loads(kafka)) return;
  rmSync(join(kafka, "build"), { recursive: true, force: true });
  console.error("setup: fetching the Kafka client's native part, or building it (two minutes or so, once)");
  const log = build(kafka);
  if (!loads(kafka)) {
    console.error((String(log.stdout) + String(log.stderr)).split("\n").slice(-60).join("\n"));
    fail("the Kafka client's native part could not be had. It needs a C++20 compiler, make and python3.");
  }
  copyAddon(kafka, cached);
}

function loads(kafka) {
  return spawnSync(process.execPath, ["-e", "require('.')"], { cwd: kafka, stdio: "ignore" }).status === 0;
}

function cacheFolder(kafka, part) {
  const { version } = JSON.parse(readFileSync(join(kafka, "package.json"), "utf8"));
  return join(cache, "kafka-javascript-addon", `${version}-${part}-${process.platform}-${process.arch}`);
}

function copyAddon(from, to) {
  for (const file of addon) copyIfThere(join(from, file), join(to, file));
}

function copyIfThere(from, to) {
  if (!existsSync(from)) return;
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to);
}

/** Most of the work is librdkafka, which is the same for each Node: the next one takes what was built for the first. */
function build(kafka) {
  const shared = cacheFolder(kafka, "librdkafka");
  const env = { ...process.env, CKJS_LINKING: process.env.CKJS_LINKING ?? "dynamic" };
  // The headers beside the binary are the right ones, whatever npm is configured to take.
  const node = dirname(dirname(realpathSync(process.execPath)));
  if (existsSync(join(node, "include", "node", "node.h"))) env.npm_config_nodedir = node;
  if (existsSync(shared)) Object.assign(env, useLibrdkafka(kafka, shared));
  const log = npm(kafka, ["run", "install"], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 1 << 28,
    encoding: "utf8",
  });
  for (const name of libraries) {
    const built = join(kafka, "build", "deps", `${name}.so.1`);
    copyIfThere(join(shared, `${name}.so`), built);
    copyIfThere(built, join(shared, `${name}.so`));
  }
  return log;
}

/** What makes the install step link with librdkafka from another folder. Make turns two dollars into one. */
function useLibrdkafka(kafka, shared) {
  const source = join(kafka, "deps", "librdkafka");
  return {
    BUILD_LIBRDKAFKA: "0",
    CXXFLAGS: `-I${join(source, "src")} -I${join(source, "src-cpp")}`,
    LDFLAGS: `-L${shared} -Wl,-rpath,'$$ORIGIN/../deps'`,
  };
}
