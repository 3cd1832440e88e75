import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { AccountService } from "example-account";
import { beforeAll, expect, it } from "vitest";
import { freePorts } from "../../support/free-ports.js";
import { isRunning, spawnServer } from "../../support/server-process.js";
import { until } from "../../support/until.js";
import type { Activity } from "./pages/api/activity";

const folder = fileURLToPath(new URL(".", import.meta.url));
const next = createRequire(import.meta.url).resolve("next/dist/bin/next");
const logFile = join(folder, "dist", "server.log");
let baseUrl = "";

beforeAll(async () => {
  rmSync(join(folder, "dist"), { recursive: true, force: true });
  const build = spawnSync(process.execPath, [next, "build", folder], { encoding: "utf8" });
  expect(build.status, build.stdout + build.stderr).toBe(0);
  const [port] = await freePorts(1);
  baseUrl = `http://127.0.0.1:${port}/api`;
  const address = ["--hostname", "127.0.0.1", "--port", String(port)];
  const server = spawnServer(process.execPath, [next, "start", folder, ...address], logFile);
  // This also loads what all API routes share, so that no call waits for it.
  const log = () => readFileSync(logFile, "utf8");
  await until(async () => !isRunning(server) || (await isUp()), log, 120_000);
  expect(isRunning(server), log()).toBe(true);
}, 600_000);

async function isUp(): Promise<boolean> {
  try {
    await activity();
    return true;
  } catch {
    return false;
  }
}

async function activity(): Promise<Activity> {
  const response = await fetch(`${baseUrl}/activity`);
  return (await response.json()) as Activity;
}

/** What the app recorded about the calls with this label. */
async function eventsOf(operation: string): Promise<Activity["events"]> {
  const find = async () => (await activity()).events.filter(({ action }) => action === operation);
  await until(async () => (await find()).length > 0, activity);
  return find();
}

function marks(operation: string): Record<string, string> {
  return { "x-session-track": "true", "x-session-context": "c2Vzc2lvbg", "x-session-operation": operation };
}

function client(prefix = "") {
  return createClient(AccountService, createConnectTransport({ baseUrl: baseUrl + prefix, httpVersion: "1.1" }));
}

it("publishes an event of a call that succeeds, and hides the mark from the handler", async () => {
  await expect(client().changePassword({}, { headers: marks("works") })).resolves.toMatchObject({ revision: 1 });
  expect(await eventsOf("works")).toEqual([{ action: "works", status: "OK", handlerStatus: "" }]);
  expect((await activity()).seen).toEqual(["x-session-context"]);
});

it("publishes the code that the handler threw", async () => {
  const refused = client().changePassword({ oldPassword: "wrong" }, { headers: marks("refused") });
  await expect(refused).rejects.toMatchObject({ code: Code.PermissionDenied });
  expect(await eventsOf("refused")).toEqual([{ action: "refused", status: "PERMISSION_DENIED", handlerStatus: "" }]);
});

it("publishes that a deadline ran out", async () => {
  // A tenth of it is how long the call may take to the server without looking like a cancellation there.
  const left = client().changePassword({ oldPassword: "wait" }, { headers: marks("waited"), timeoutMs: 5_000 });
  await expect(left).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  expect(await eventsOf("waited")).toMatchObject([{ action: "waited", status: "DEADLINE_EXCEEDED" }]);
});

it("counts a marked call that Connect refused before the interceptor saw it", async () => {
  const malformed = await fetch(`${baseUrl}/${AccountService.typeName}/ChangePassword`, {
    method: "POST",
    headers: { ...marks("malformed"), "content-type": "application/json" },
    body: "{",
  });
  expect(malformed.status).toBe(400);
  await until(async () => (await activity()).bypassed === 1, activity);
});

it("tracks calls where it is wired by the call that the documents show", async () => {
  await client("/wired").changePassword({}, { headers: marks("wired") });
  await until(async () => (await activity()).wired === 1, activity);
});
