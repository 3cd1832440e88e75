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

const notFound = (name: string) =>
  Object.assign(new Error(`Cannot find module '${name}'\nRequire stack:\n- a.js`), { code: "MODULE_NOT_FOUND" });

/** What `bindings` throws: it names the files that it tried. */
const withoutBindings = (folder: string) =>
  Object.assign(new Error("Could not locate the bindings file. Tried:\n → a\n → b"), {
    tries: [`${folder}/build/a.node`],
  });

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
  const notBuilt = loadError(withoutBindings(`node_modules/${client}`), manager);
  expect(notBuilt.code).toBe("ERR_KAFKA_CLIENT_NOT_BUILT");
  expect(notBuilt.message).toContain(`Run "${runs} session-activity install-kafka-client", which`);
  expect(notBuilt.message).not.toContain("Tried:");
});

it("what installed the packages tells more than a lockfile that was left behind", () => {
  expect(managerWith("package-lock.json", "node_modules/.modules.yaml").name).toBe("pnpm");
  expect(managerWith("pnpm-lock.yaml", "node_modules/.package-lock.json").name).toBe("npm");
  expect(managerWith("package-lock.json", "node_modules/.yarn-state.yml").name).toBe("yarn");
});

it("tells the client that was bundled from the one that was not built", () => {
  const error = loadError(withoutBindings("/app/dist"), managerWith("package-lock.json"));
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
  [notFound("nan").message, "Cannot find module 'nan' Require stack: - a.js"],
])("quotes any other cause: %j", (text, quoted) => {
  const cause = Object.assign(new Error(text), { code: "ERR_DLOPEN_FAILED" });
  const error = loadError(cause, managerWith("package-lock.json"));
  expect(error).toMatchObject({ code: "ERR_KAFKA_CLIENT_NOT_LOADED", cause });
  expect(error.message).toContain(`cannot be loaded (${quoted}). `);
  expect(error.message).toContain(`run "npx session-activity install-kafka-client"`);
  expect(isKafkaClientError(error)).toBe(true);
  expect(isKafkaClientError(cause)).toBe(false);
});
