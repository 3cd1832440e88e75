// Makes a fresh clone runnable, and does nothing if all is in place. `npm test` and `npm run demo` call it before anything is
// installed, so it has no dependencies and runs on Node 18 or newer.
//
// 1. Packages: `npm ci` without install scripts, if node_modules is missing or older than the lockfile.
// 2. Node: if the running Node is not one of those that this repository supports, Node 24 comes from the npm registry and is
//    linked as node_modules/.bin/node, which npm scripts find first. The rest of this script then runs on it.
// 3. The native part of @confluentinc/kafka-javascript: its own install step fetches a prebuilt binary from GitHub. If that
//    cannot be reached it compiles, and then by default it fetches the sources of OpenSSL, zstd and curl, too.
//    CKJS_LINKING=dynamic makes it use what the machine has instead, so that it needs a C++ compiler, make and python3 only.
//
// Node and the native part are kept in the user's cache folder, and survive a new clone.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fail } from "./fail.mjs";
import { cache, linkedNode, linkNode, versionOf } from "./node-binary.mjs";
import { installPackages, npm } from "./packages.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const kafka = join(root, "node_modules", "@confluentinc", "kafka-javascript");
const addon = [
  "build/Release/confluent-kafka-javascript.node",
  "build/deps/librdkafka.so.1",
  "build/deps/librdkafka++.so.1",
];

/** The Node that a machine without a supported one gets. */
const nodeMajor = 24;
const supportedMajors = [22, 24, 26];

function isSupported(version) {
  const [major, minor] = version.replace(/^v/, "").split(".").map(Number);
  return supportedMajors.includes(major) && (major !== 22 || minor >= 13);
}

/** Lets npm scripts find a supported Node first, and goes on with it. Does not return if this Node is not supported. */
function ensureNode() {
  if (wasLinked && !existsSync(linkedNode(root))) linkNode(root, nodeMajor);
  if (isSupported(process.version)) return;
  if (process.env.CSA_SETUP_NODE !== undefined) fail(`the linked Node is ${process.version}, which is not supported.`);
  if (!isSupported(versionOf(linkedNode(root)) ?? "")) linkNode(root, nodeMajor);
  const again = spawnSync(linkedNode(root), [fileURLToPath(import.meta.url)], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, CSA_SETUP_NODE: process.version },
  });
  process.exit(again.status ?? 1);
}

function addonLoads() {
  const script = 'require("@confluentinc/kafka-javascript")';
  return spawnSync(process.execPath, ["-e", script], { cwd: root, stdio: "ignore" }).status === 0;
}

function addonCache() {
  const { version } = JSON.parse(readFileSync(join(kafka, "package.json"), "utf8"));
  const name = `${version}-abi${process.versions.modules}-${process.platform}-${process.arch}`;
  return join(cache, "kafka-javascript-addon", name);
}

function copyAddon(from, to) {
  for (const file of addon) {
    if (!existsSync(join(from, file))) continue;
    mkdirSync(dirname(join(to, file)), { recursive: true });
    cpSync(join(from, file), join(to, file));
  }
}

function buildAddon() {
  rmSync(join(kafka, "build"), { recursive: true, force: true });
  console.error("setup: fetching the Kafka client's native part, or building it (two minutes or so, once)");
  const env = { ...process.env, CKJS_LINKING: process.env.CKJS_LINKING ?? "dynamic" };
  // The headers beside the binary are the right ones, whatever npm is configured to take.
  const node = dirname(dirname(realpathSync(process.execPath)));
  if (existsSync(join(node, "include", "node", "node.h"))) env.npm_config_nodedir = node;
  return npm(kafka, ["run", "install"], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 1 << 28,
    encoding: "utf8",
  });
}

function ensureAddon() {
  if (!existsSync(kafka) || addonLoads()) return;
  copyAddon(addonCache(), kafka);
  if (addonLoads()) return;
  const log = buildAddon();
  if (!addonLoads()) {
    console.error((String(log.stdout) + String(log.stderr)).split("\n").slice(-60).join("\n"));
    fail("the Kafka client's native part could not be had. It needs a C++20 compiler, make and python3.");
  }
  copyAddon(kafka, addonCache());
}

// npm scripts run this on the linked Node, and `npm ci` takes the link away.
const wasLinked = existsSync(linkedNode(root));
installPackages(root);
ensureNode();
ensureAddon();
