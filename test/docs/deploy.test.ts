// The command lines of examples/deploy, as processes with what the manifests set: SIGTERM ends each cleanly.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { startEmbeddedKafka } from "../../src/kafka/index.js";
import { marks } from "../support/account-server.js";
import { freePorts } from "../support/free-ports.js";
import { dist } from "../support/program.js";
import { changePassword } from "./calls.js";
import { read } from "./pages.js";

const manifests = ["examples/deploy/service.yaml", "examples/deploy/history-worker.yaml"] as const;

/** The one container of a manifest: its command, and the variables that it has as texts. */
function containerOf(manifest: (typeof manifests)[number]) {
  const text = read(manifest);
  const [, command = "[]"] = /^ +command: (\[.*\])$/m.exec(text) ?? [];
  const variables = [...text.matchAll(/- name: ([A-Z_]+)\n +value: "?([^"\n]*)"?\n/g)];
  return {
    command: JSON.parse(command) as string[],
    env: Object.fromEntries(variables.map(([, name = "", value = ""]) => [name, value])),
    text,
  };
}

/** A folder as the image has it. */
function imageFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "image-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  symlinkSync(join(dist, "examples/deploy"), join(folder, "dist"));
  mkdirSync(join(folder, "node_modules/.bin"), { recursive: true });
  const program = join(dist, "src/cli/session-activity.js");
  // As npm does for each program of a package.
  chmodSync(program, 0o755);
  symlinkSync(program, join(folder, "node_modules/.bin/session-activity"));
  return folder;
}

/** Runs a container's command as the kubelet does: without a shell, and the signal goes to that process. */
function runContainer(command: readonly string[], env: Readonly<Record<string, string>>, cwd: string) {
  const child = spawn(command[0]!, command.slice(1), { cwd, env: { ...process.env, ...env }, stdio: "inherit" });
  onTestFinished(() => void child.kill("SIGKILL"));
  return { child, exit: once(child, "exit") };
}

async function statusOf(port: number, path: string): Promise<number> {
  return fetch(`http://127.0.0.1:${port}${path}`).then(
    ({ status }) => status,
    () => 0,
  );
}

it("the service is ready, answers calls, and ends with 0 after SIGTERM", { timeout: 180_000 }, async () => {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  const [port = 0, healthPort = 0] = await freePorts(2);
  const { command, env } = containerOf("examples/deploy/service.yaml");
  expect(env).toMatchObject({ PORT: "8080", HEALTH_PORT: "8081", SESSION_TRACKING_KAFKA_BROKERS: "kafka:9092" });
  const here = { PORT: `${port}`, HEALTH_PORT: `${healthPort}`, SESSION_TRACKING_KAFKA_BROKERS: kafka.brokers };
  const { child, exit } = runContainer(command, { ...env, ...here }, imageFolder());
  await expect.poll(() => statusOf(healthPort, "/readyz"), { timeout: 150_000 }).toBe(200);
  expect(await statusOf(healthPort, "/healthz")).toBe(200);
  expect(await changePassword(port, "2", marks("c2Vzc2lvbi0x", "change_password"))).toBe("PermissionDenied");
  child.kill("SIGTERM");
  expect(await exit).toEqual([0, null]);
});

it("the worker is ready, and ends with 0 after SIGTERM", { timeout: 180_000 }, async () => {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  const [healthPort = 0] = await freePorts(1);
  const { command, env } = containerOf("examples/deploy/history-worker.yaml");
  expect(env).toMatchObject({ SESSION_HISTORY_HEALTH_PORT: "8081", SESSION_TRACKING_KAFKA_BROKERS: "kafka:9092" });
  const folder = imageFolder();
  const here = {
    SESSION_HISTORY_HEALTH_PORT: `${healthPort}`,
    SESSION_HISTORY_DATABASE: join(folder, "database"),
    SESSION_TRACKING_KAFKA_BROKERS: kafka.brokers,
  };
  const { child, exit } = runContainer(command, { ...env, ...here }, folder);
  await expect.poll(() => statusOf(healthPort, "/readyz"), { timeout: 150_000 }).toBe(200);
  child.kill("SIGTERM");
  expect(await exit).toEqual([0, null]);
});

it.each(manifests)("%s gives more time than an end takes, and starts the program itself", (manifest) => {
  const { command, text } = containerOf(manifest);
  const [, grace] = /terminationGracePeriodSeconds: (\d+)/.exec(text) ?? [];
  const [, pause = 0] = /sleep: \{ seconds: (\d+) \}/.exec(text) ?? [];
  // See "Shutdown" in docs/service.md, and "How it ends" in docs/history-worker.md.
  expect(Number(grace) - Number(pause)).toBeGreaterThan(25);
  expect(command[0]).not.toMatch(/np[mx]|sh$/);
});

it("the image starts the service as its manifest does, as the same user", () => {
  const dockerfile = read("examples/deploy/Dockerfile");
  const { command, text } = containerOf("examples/deploy/service.yaml");
  const [, start = "[]"] = /^CMD (.*)$/m.exec(dockerfile) ?? [];
  expect(JSON.parse(start)).toEqual(command);
  const [, user] = /^USER (\d+):/m.exec(dockerfile) ?? [];
  expect(text).toContain(`runAsUser: ${user}\n`);
  expect(read("examples/deploy/.dockerignore").split("\n")).toEqual(
    expect.arrayContaining(["session-keys", "node_modules", ".env*"]),
  );
});
