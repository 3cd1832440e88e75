// Makes a fresh clone runnable, and does nothing if all is in place. `npm test` and `npm run demo` call it before anything is
// installed, so it has no dependencies and runs on Node 18 or newer.
//
// 1. Packages: `npm ci` without install scripts, if node_modules is missing or older than the lockfile.
// 2. Node: if the running Node is not one of those that this repository supports, Node 24 comes from the npm registry and is
//    linked as node_modules/.bin/node, which npm scripts find first. The rest of this script then runs on it.
// 3. The native part of @confluentinc/kafka-javascript: the package's own command installs it, as it does for a user.
//
// Node and the native part are kept in the user's cache folder, and survive a new clone.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fail } from "./fail.mjs";
import { linkedNode, linkNode, versionOf } from "./node-binary.mjs";
import { installPackages, npm } from "./packages.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

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

/** Makes the Kafka client load on the running Node. */
function ensureKafkaClient() {
  const load = ["-e", 'require("@confluentinc/kafka-javascript")'];
  if (spawnSync(process.execPath, load, { cwd: root, stdio: "ignore" }).status === 0) return;
  if (npm(root, ["run", "-s", "build"]).status !== 0) fail("the build failed: see above.");
  const command = join(root, "dist", "src", "cli", "session-activity.js");
  const { status } = spawnSync(process.execPath, [command, "install-kafka-client"], { cwd: root, stdio: "inherit" });
  if (status !== 0) fail("the Kafka client does not work: see above.");
}

// npm scripts run this on the linked Node, and `npm ci` takes the link away.
const wasLinked = existsSync(linkedNode(root));
installPackages(root);
ensureNode();
ensureKafkaClient();
