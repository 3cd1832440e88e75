// Makes a fresh clone runnable, and does nothing where all is in place already.
// It has no dependencies: `npm test` and `npm run demo` call it before anything is installed.
//
// 1. `npm ci` (without install scripts) when node_modules is missing or older than the lockfile.
// 2. The native part of @confluentinc/kafka-javascript: its own install step fetches a prebuilt binary
//    from GitHub; where that cannot be reached it compiles, and then by default it fetches OpenSSL, zstd
//    and curl sources too. CKJS_LINKING=dynamic makes it use what the machine has instead, so that a C++
//    compiler, make and python3 are all it needs. The result is kept in the user's cache folder.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
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

function npm(args, options = {}) {
  const cli = process.env.npm_execpath;
  const [command, first] = cli?.endsWith(".js") ? [process.execPath, [cli]] : ["npm", []];
  const shell = command === "npm" && process.platform === "win32";
  return spawnSync(command, [...first, ...args], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    shell,
    ...options,
  });
}

function packagesAreCurrent() {
  const installed = join(root, "node_modules", ".package-lock.json");
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(root, "package-lock.json")).mtimeMs;
}

function addonLoads() {
  const script = 'require("@confluentinc/kafka-javascript")';
  return spawnSync(process.execPath, ["-e", script], { cwd: root, stdio: "ignore" }).status === 0;
}

function cacheFolder() {
  const { version } = JSON.parse(readFileSync(join(kafka, "package.json"), "utf8"));
  const base = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  return join(
    base,
    "kafka-javascript-addon",
    `${version}-abi${process.versions.modules}-${process.platform}-${process.arch}`,
  );
}

function copyAddon(from, to) {
  for (const file of addon) {
    if (!existsSync(join(from, file))) continue;
    mkdirSync(dirname(join(to, file)), { recursive: true });
    cpSync(join(from, file), join(to, file));
  }
}

if (!packagesAreCurrent()) {
  console.error("setup: npm ci");
  if (npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).status !== 0) process.exit(1);
}
if (existsSync(kafka) && !addonLoads()) {
  const cache = cacheFolder();
  copyAddon(cache, kafka);
  if (!addonLoads()) {
    rmSync(join(kafka, "build"), { recursive: true, force: true });
    console.error("setup: fetching the Kafka client's native part, or building it (two minutes or so, once)");
    const env = { ...process.env, CKJS_LINKING: process.env.CKJS_LINKING ?? "dynamic" };
    const log = npm(["run", "install"], {
      cwd: kafka,
      env,
      stdio: ["ignore", "pipe", "pipe"],
      maxBuffer: 1 << 28,
      encoding: "utf8",
    });
    if (!addonLoads()) {
      console.error((String(log.stdout) + String(log.stderr)).split("\n").slice(-60).join("\n"));
      console.error(
        "setup: the Kafka client's native part could not be had. It needs a C++20 compiler, make and python3.",
      );
      process.exit(1);
    }
    copyAddon(kafka, cache);
  }
}
