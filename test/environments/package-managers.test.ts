// Projects whose package manager leaves install scripts out, and a registry with what they need. Its Kafka client is none.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { cacheFolder, nativePart } from "../../src/cli/kafka-client/kafka-client-files.js";
import { here, runNode, runProgram } from "./run-program.js";

/** What the projects depend on: folders of packages by their names. */
const packages: ReadonlyMap<string, string> = new Map([
  ["@confluentinc/kafka-javascript", here("fake-client")],
  ["connect-session-activity", here("node_modules/connect-session-activity")],
  ["@bufbuild/protobuf", here("node_modules/@bufbuild/protobuf")],
  ["@connectrpc/connect", here("node_modules/@connectrpc/connect")],
]);

const folder = here("dist/managers");
const server = createServer();
let registry = "";

/** Where nothing of this user's is: no settings, no store of packages, and the cache that this package keeps. */
const home: Readonly<Record<string, string>> = {
  HOME: join(folder, "home"),
  XDG_CACHE_HOME: join(folder, "home", "cache"),
  XDG_CONFIG_HOME: join(folder, "home", "config"),
  XDG_DATA_HOME: join(folder, "home", "data"),
  XDG_STATE_HOME: join(folder, "home", "state"),
};

beforeAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "bin"), { recursive: true });
  await startRegistry();
  command("npm", here("node_modules/npm/bin/npm-cli.js"));
  command("npx", here("node_modules/npm/bin/npx-cli.js"));
  command("pnpm", here("node_modules/pnpm/bin/pnpm.mjs"));
  command("yarn", here("node_modules/@yarnpkg/cli-dist/bin/yarn.js"));
  fillCache();
});
afterAll(() => void server.close());

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly scripts?: Readonly<Record<string, string>>;
}

const manifestOf = (name: string): Manifest =>
  JSON.parse(readFileSync(join(packages.get(name) ?? "", "package.json"), "utf8"));

async function startRegistry(): Promise<void> {
  const tarballs = new Map([...packages].map(([name, path]) => [name, tarballOf(path)]));
  server.on("request", ({ url = "" }, response) => {
    const path = decodeURIComponent(url).slice(1);
    const tarball = tarballs.get(path.replace(/\.tgz$/, ""));
    if (tarball === undefined) response.writeHead(404).end("{}");
    else response.end(path.endsWith(".tgz") ? tarball : JSON.stringify(packument(path, tarball)));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  registry = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function tarballOf(path: string): Buffer {
  const args = ["-cz", "-C", dirname(path), "--transform", `s,^${basename(path)},package,`, basename(path)];
  return execFileSync("tar", args, { maxBuffer: 1 << 28 });
}

/** What a registry says of a package. */
function packument(name: string, tarball: Buffer): object {
  const manifest = manifestOf(name);
  const { version, scripts } = manifest;
  const time = "2026-01-01T00:00:00.000Z";
  const integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
  const dist = { tarball: `${registry}/${name}.tgz`, integrity };
  const entry = { ...manifest, hasInstallScript: scripts?.["install"] !== undefined, dist };
  const times = { created: time, modified: time, [version]: time };
  return { name, "dist-tags": { latest: version }, time: times, versions: { [version]: entry } };
}

/** Makes a command that runs a script on this Node. */
function command(name: string, script: string): void {
  const text = `#!/bin/sh\nexec '${process.execPath}' '${script}' "$@"\n`;
  writeFileSync(join(folder, "bin", name), text, { mode: 0o755 });
}

/** Puts a native part into the cache. The client that is none takes any file for one. */
function fillCache(): void {
  vi.stubEnv("XDG_CACHE_HOME", home["XDG_CACHE_HOME"]);
  const { version } = manifestOf("@confluentinc/kafka-javascript");
  const cached = cacheFolder({ version, folder: "", find: (path) => path }, nativePart());
  vi.unstubAllEnvs();
  mkdirSync(join(cached, "build/Release"), { recursive: true });
  writeFileSync(join(cached, "build/Release/confluent-kafka-javascript.node"), "");
}

/** Makes a project. Gives what runs a command line in it. */
function createProject(manager: string): (line: string) => Promise<string> {
  const project = join(folder, manager);
  mkdirSync(project, { recursive: true });
  const write = (name: string, text: string): void => writeFileSync(join(project, name), text);
  const dependencies = Object.fromEntries([...packages.keys()].map((name) => [name, manifestOf(name).version]));
  write("package.json", JSON.stringify({ name: "app", private: true, dependencies }));
  write(".npmrc", `registry=${registry}\n`);
  if (manager === "yarn") {
    const settings = [
      `npmRegistryServer: "${registry}"`,
      'unsafeHttpWhitelist: ["127.0.0.1"]',
      "enableTelemetry: false",
      // In CI, yarn refuses to write the lockfile that this project does not have yet.
      "enableImmutableInstalls: false",
    ];
    write("yarn.lock", "");
    write(".yarnrc.yml", [...settings, "nodeLinker: node-modules", ""].join("\n"));
  }
  const code = `import { createKafkaPublisher } from "connect-session-activity/kafka";
    try { createKafkaPublisher({ brokers: "localhost:9092" }) } catch (error) { process.stdout.write(error.message) }`;
  write("app.mjs", code);
  const env = { ...home, PATH: `${join(folder, "bin")}:${dirname(process.execPath)}:${process.env["PATH"]}` };
  return (line) => runProgram("sh", ["-c", line], { cwd: project, env });
}

it.each(["npm", "pnpm", "yarn"])("%s", async (manager) => {
  const type = createProject(manager);
  const publish = (): Promise<string> => runNode(["app.mjs"], { cwd: join(folder, manager) });
  // pnpm takes a script that it leaves out for an error.
  await type(`${manager} install`).catch((error: unknown) => expect(String(error)).toContain("Ignored build scripts"));
  const message = await publish();
  expect(message).toContain("The native part of @confluentinc/kafka-javascript is missing");
  const [, line = ""] = /Run "([^"]+)"/.exec(message) ?? [];
  await type(line);
  expect(await publish()).toBe("The Kafka client refused its properties: this is no Kafka client");
});
