import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { failureOf } from "../../../src/base/failure.js";
import { type PackageManager, packageManagerOf } from "../../../src/base/package-manager.js";
import { isKafkaClientError, loadError } from "../../../src/kafka/client/client-error.js";

const client = "@confluentinc/kafka-javascript";

/** The manager of a project with this file in it. */
function managerWith(...files: readonly string[]): PackageManager {
  const folder = mkdtempSync(join(tmpdir(), "session-activity-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), "");
  }
  return packageManagerOf(join(folder, "node_modules", "connect-session-activity", "file.js"));
}

/** What is thrown while a file is loaded. */
function thrownIn(file: string, message: string, code: string): Error {
  const error = Object.assign(new Error(message), { code });
  error.stack = `Error: ${message}\n    at require (node:internal/modules/helpers:1:1)\n    at Object.<anonymous> (${file}:1:1)`;
  return error;
}

const inside = `/app/node_modules/${client}/librdkafka.js`;
const notFound = (name: string): Error => {
  const message = `Cannot find module '${name}'\nRequire stack:\n- /app/node_modules/connect-session-activity/a.js`;
  return thrownIn("/app/node_modules/connect-session-activity/a.js", message, "MODULE_NOT_FOUND");
};
const withoutBindings = thrownIn(inside, "Could not locate the bindings file. Tried:\n → a\n → b", "");

it.each([
  ["pnpm-lock.yaml", `pnpm add ${client}`, "pnpm exec"],
  [".yarnrc.yml", `yarn add ${client}`, "yarn"],
  ["yarn.lock", `yarn add ${client}`, "yarn"],
  ["package-lock.json", `npm install ${client}`, "npx"],
])("by %s, errors say what to type", (file, install, runs) => {
  const manager = managerWith(file);
  const missing = loadError(notFound(client), manager);
  expect(missing).toMatchObject({
    code: "ERR_KAFKA_CLIENT_MISSING",
    message: `The Kafka client is not installed. Run: ${install}`,
  });
  expect(failureOf(missing)).toBe("permanent");
  const notBuilt = loadError(withoutBindings, manager);
  expect(notBuilt.code).toBe("ERR_KAFKA_CLIENT_NOT_BUILT");
  expect(notBuilt.message).toContain(`Run "${runs} session-activity install-kafka-client", which`);
  expect(notBuilt.message).not.toContain("Tried:");
});

it("what installed the packages tells more than a lockfile that was left behind", () => {
  expect(managerWith("package-lock.json", "node_modules/.modules.yaml").name).toBe("pnpm");
  expect(managerWith("pnpm-lock.yaml", "node_modules/.package-lock.json").name).toBe("npm");
  expect(managerWith("package-lock.json", "node_modules/.yarn-state.yml").name).toBe("yarn");
});

it.each([
  "Could not locate the bindings file. Tried:\n → a",
  "Cannot read properties of undefined (reading 'indexOf')",
])("tells that the client was bundled: %j", (message) => {
  const error = loadError(thrownIn("/app/dist/main.js", message, ""), managerWith("package-lock.json"));
  expect(error.code).toBe("ERR_KAFKA_CLIENT_BUNDLED");
  expect(error.message).toContain(`Name ${client} among the bundler's externals`);
});

it.each([
  [
    "libssl.so.3: cannot open shared object file: No such file",
    "libssl.so.3: cannot open shared object file: No such file",
  ],
  [
    "The module '/a/b.node'\nwas compiled against a different Node.js version using\nNODE_MODULE_VERSION 115. This version",
    "The module '/a/b.node' was compiled against a different Node.js version using NODE_MODULE_VERSION 115. This version",
  ],
  ["Cannot find module 'nan'\nRequire stack:\n- a.js", "Cannot find module 'nan' Require stack: - a.js"],
])("quotes any other cause: %j", (text, quoted) => {
  const cause = thrownIn(inside, text, "ERR_DLOPEN_FAILED");
  const error = loadError(cause, managerWith("package-lock.json"));
  expect(error).toMatchObject({ code: "ERR_KAFKA_CLIENT_NOT_LOADED", cause });
  expect(error.message).toContain(`cannot be loaded (${quoted}). `);
  expect(error.message).toContain(`run "npx session-activity install-kafka-client"`);
  expect(isKafkaClientError(error)).toBe(true);
  expect(isKafkaClientError(cause)).toBe(false);
});
