import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import {
  cacheFolder,
  copyNativePart,
  findKafkaClient,
  keep,
  nativePart,
} from "../../../src/cli/kafka-client/kafka-client-files.js";
import { root } from "../../support/root.js";

/** A project of somebody else, with this package and the Kafka client as an install without scripts leaves them. */
let project: string;

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), "project-"));
  onTestFinished(() => rmSync(project, { recursive: true, force: true }));
  vi.stubEnv("XDG_CACHE_HOME", join(project, "cache"));
  onTestFinished(() => void vi.unstubAllEnvs());
  const own = join(project, "node_modules", "connect-session-activity");
  for (const path of ["dist/src", "dist/gen", "package.json"]) {
    cpSync(join(root, path), join(own, path), { recursive: true });
  }
  for (const name of ["@bufbuild/protobuf", "@connectrpc/connect", "bindings", "file-uri-to-path", "jose"]) {
    mkdirSync(dirname(join(project, "node_modules", name)), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(project, "node_modules", name));
  }
});

const clientFolder = "node_modules/@confluentinc/kafka-javascript";

function installClient(): void {
  cpSync(join(root, clientFolder), join(project, clientFolder), {
    recursive: true,
    filter: (path) => !["build", "deps", "node_modules"].includes(basename(path)),
  });
}

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const script = join(project, "node_modules/connect-session-activity/dist/src/cli/session-activity.js");
  const options = { cwd: project, env: { ...process.env, ...env }, encoding: "utf8" } as const;
  return spawnSync(process.execPath, [script, "install-kafka-client", ...args], options);
}

describe("session-activity install-kafka-client", () => {
  test("says that the client is not installed", () => {
    const { status, stderr } = run([]);
    expect(stderr).toMatch(
      /the package @confluentinc\/kafka-javascript is not installed\. Run: npm install @confluentinc\/kafka-javascript\n$/,
    );
    expect(status).toBe(1);
  });

  test("takes the native part from the cache, and then finds it there", () => {
    installClient();
    const built = findKafkaClient()!;
    expect(keep(cacheFolder(built, nativePart()), (fresh) => copyNativePart(built.folder, fresh))).toBeUndefined();
    const first = run([]);
    expect(first.stderr).toContain("Its native part was from the cache.");
    expect(first.status).toBe(0);
    expect(run([]).stderr).toContain("Its native part was there already.");
  });

  test("names the tools that a build lacks", () => {
    installClient();
    const { status, stderr } = run(["--from-source"], { PATH: project });
    expect(stderr).toContain("needs g++, gcc, make, python3, bash, npm: on Debian and Ubuntu, apt-get install g++ gcc");
    expect(status).toBe(1);
  });

  test("refuses arguments that it does not know", () => {
    const { status, stderr } = run(["--from-sources"]);
    expect(stderr).toContain("--from-sources is unknown, did you mean --from-source?");
    expect(status).toBe(2);
  });
});

test("what is kept is there as a whole, or not at all", () => {
  const folder = join(project, "kept");
  expect(
    keep(folder, () => {
      throw new Error("disk full");
    }),
  ).toBe("disk full");
  expect(keep(folder, (fresh) => mkdirSync(join(fresh, "a")))).toBeUndefined();
  expect(keep(folder, (fresh) => mkdirSync(join(fresh, "b")))).toBeUndefined();
  expect(keep(join("/dev/null", "kept"), () => {})).toMatch(/ENOTDIR|EEXIST/);
});
