import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createMemoryPublisher, sessionContextKey, sessionContextVerifiedKey } from "../../src/index.js";
import type { PublisherStats } from "../../src/publishing/publisher.js";
import { buildInterceptor } from "../../src/service/interceptor.js";
import { interceptorSettings } from "../../src/service/interceptor-options.js";
import { Shutdown } from "../../src/service/shutdown.js";
import { createTracking } from "../../src/service/tracking.js";
import { createSessionKeySet, createSessionSigner, createSessionVerifier } from "../../src/signature/index.js";
import { accountClient, marks } from "../support/account-server.js";
import { dist } from "../support/program.js";
import { until } from "../support/until.js";
import { shortenPatience } from "../support/wait-limits.js";
import { gate, routesOf, serve, start } from "./wired-service.js";

it("stats counts calls by status, and events, in one object", async () => {
  const { tracking } = start();
  const { opened, open } = gate();
  const server = await serve(tracking, {
    routes: routesOf({
      async changePassword({ oldPassword }) {
        if (oldPassword === "wrong") throw new ConnectError("no", Code.PermissionDenied);
        if (oldPassword === "wait") await opened;
        return {};
      },
    }),
  });
  const client = accountClient(server);
  const call = (oldPassword: string) => client.changePassword({ oldPassword }, { headers: marks() }).catch(() => {});
  await Promise.all(["right", "right", "wrong"].map(call));
  const waiting = call("wait");
  await until(() => tracking.stats().interceptor.open === 1 && tracking.stats().publisher.offered === 3);
  expect(tracking.stats()).toMatchObject({
    interceptor: { open: 1, tracked: 4, byStatus: { OK: 2, PERMISSION_DENIED: 1 }, bypassed: 0, skipped: {} },
    publisher: { offered: 3, delivered: 0, dropped: { no_brokers: 3 }, queued: 0 },
  });
  open();
  await waiting;
});

it("ready tells what is missing, and is false only in a shutdown", async () => {
  const { tracking } = start();
  expect(tracking.ready()).toEqual({ ready: true, problems: ["not_watched", "no_brokers"] });
  await serve(tracking, { routes: () => {} });
  expect(tracking.ready()).toEqual({ ready: true, problems: ["no_brokers"] });
  const shutDown = tracking.shutDown();
  expect(tracking.ready()).toEqual({ ready: false, problems: ["shutting_down", "no_brokers"] });
  await shutDown;
});

it.each<[string, () => Promise<PublisherStats>, string]>([
  ["hangs", () => new Promise(() => {}), "it did not come to an end in time"],
  ["rejects", () => Promise.reject(new RangeError("secret")), "RangeError"],
])("a publisher whose close %s does not hold up a shutdown", async (_, close, reason) => {
  const publisher = { ...createMemoryPublisher(), close };
  const shutdown = new Shutdown();
  const errors: object[] = [];
  const ignore = (): void => {};
  const log = { debug: ignore, info: ignore, warn: ignore, error: (details: object) => void errors.push(details) };
  const interceptor = buildInterceptor(interceptorSettings({ service: "account-service", publisher, log }), shutdown);
  const tracking = createTracking({ interceptor, publisher, shutdown, drainTimeoutMs: 20, log });
  const { publisher: counts } = await tracking.shutDown({ graceMs: 0 });
  expect(counts).toEqual({ offered: 0, delivered: 0, dropped: {}, queued: 0 });
  expect(errors).toEqual([{ kind: "publisher_not_closed", reason }]);
});

it("flush resolves without anything queued, and for wrong options", async () => {
  const { tracking, warnings } = start();
  await tracking.flush();
  await tracking.flush({ timeoutMs: Number.NaN });
  expect(warnings).toEqual([expect.stringContaining("timeoutMs must be a number of milliseconds")]);
});

it("onDrop has each lost event once, and may throw", async () => {
  const lost: string[] = [];
  const { tracking, warnings } = start({
    onDrop: (reason, { action }) => {
      lost.push(`${reason} ${action}`);
      throw new Error("the fallback is full");
    },
  });
  const server = await serve(tracking, { routes: routesOf({ changePassword: () => ({}) }) });
  for (const operation of ["one", "two"])
    await accountClient(server).changePassword({}, { headers: marks("c", operation) });
  await until(() => lost.length === 2);
  expect(lost).toEqual(["no_brokers one", "no_brokers two"]);
  expect(warnings).toEqual([expect.stringContaining("onDrop failed")]);
});

it("a service without a name is told once", async () => {
  const told: string[] = [];
  const log = { debug() {}, info() {}, error() {}, warn: (_: object, message: string) => void told.push(message) };
  start({ service: "", log });
  expect(told).toEqual([
    expect.stringContaining("no Kafka brokers"),
    expect.stringContaining("the service has no name"),
  ]);
});

afterEach(() => {
  vi.restoreAllMocks();
});

describe("with verify", () => {
  const audience = "account-service";
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const keys = createSessionKeySet({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k" }] });
  const signer = createSessionSigner({ key: privateKey, keyId: "k", audience });
  const procedure = "/example.account.v1.AccountService/ChangePassword";

  async function contextsSeen(unmarked: "keep" | "drop" | undefined) {
    const started = start({ verify: createSessionVerifier({ keys, audience, ...(unmarked && { unmarked }) }) });
    const seen: unknown[] = [];
    const changePassword = (_: unknown, { values, requestHeader }: HandlerContext): object => {
      seen.push([
        requestHeader.get("x-session-context"),
        values.get(sessionContextKey),
        values.get(sessionContextVerifiedKey),
      ]);
      return {};
    };
    const client = accountClient(await serve(started.tracking, { routes: routesOf({ changePassword }) }));
    const signature = await signer.sign({ context: "c", operation: undefined, procedure });
    await client.changePassword({}, { headers: { ...marks("c"), "x-session-signature": signature } });
    await client.changePassword({}, { headers: { ...marks("c"), "x-session-signature": "a.b.c" } });
    for (let calls = 0; calls < 3; calls += 1)
      await client.changePassword({}, { headers: { "x-session-context": "relayed" } });
    return { ...started, seen };
  }

  it("a verifier that does not answer is named by ready(), and the counts say for how long a call has waited", async () => {
    shortenPatience();
    const verify = { unmarked: "drop", verify: () => new Promise<undefined>(() => {}) } as const;
    const { tracking } = start({ verify });
    const client = accountClient(await serve(tracking, { routes: routesOf({ changePassword: () => ({}) }) }));
    const call = client.changePassword({}, { headers: { ...marks("c"), "x-session-signature": "a.b.c" } });
    await until(() => tracking.stats().interceptor.oldestInHandMs > 0);
    expect(tracking.ready().problems).not.toContain("verifier_stalled");
    await call;
    expect(tracking.stats().interceptor).toMatchObject({ stalled: { verifier: 1 } });
    expect(tracking.ready()).toMatchObject({ ready: true, problems: expect.arrayContaining(["verifier_stalled"]) });
  });

  it("a context without a mark goes, the first one is told, and handlers can ask", async () => {
    const { seen, warnings, tracking } = await contextsSeen(undefined);
    const gone = [null, undefined, false];
    expect(seen).toEqual([["c", "c", true], gone, gone, gone, gone]);
    expect(warnings.filter((warning) => warning.includes("came without a mark and was dropped"))).toHaveLength(1);
    expect(tracking.stats().interceptor).toMatchObject({
      verified: 1,
      droppedContexts: 3,
      unverified: { signature_invalid: 1 },
    });
  });

  it('and unmarked: "keep", it stays, and is not verified', async () => {
    const { seen, warnings } = await contextsSeen("keep");
    expect(seen.slice(2)).toEqual([0, 1, 2].map(() => ["relayed", "relayed", false]));
    expect(warnings.join()).not.toContain("was dropped");
  });
});

it("several in one process keep to themselves", async () => {
  const all = Array.from({ length: 12 }, (_, index) => start({ service: `service-${index}` }));
  await Promise.all(
    all.map(async ({ tracking }, index) => {
      const server = await serve(tracking, { routes: routesOf({ changePassword: () => ({}) }) });
      for (let calls = 0; calls <= index; calls += 1)
        await accountClient(server).changePassword({}, { headers: marks() });
    }),
  );
  await Promise.all(all.map(({ tracking }) => tracking.shutDown()));
  for (const [index, { events }] of all.entries())
    expect(events.map(({ service }) => service)).toEqual(Array.from({ length: index + 1 }, () => `service-${index}`));
});

it("60 rounds of start and shutdown leave no handles, threads or listeners", { timeout: 100_000 }, async () => {
  const script = fileURLToPath(new URL("rounds-process.mjs", import.meta.url));
  const child = spawn(process.execPath, [script, dist, "60"], { stdio: ["ignore", "pipe", "pipe"] });
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  expect([errors, code]).toEqual(["", 0]);
  const rounds = output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { resources: number; threads: number; listeners: number; delivered: number });
  expect(rounds).toHaveLength(60);
  expect(rounds.every(({ delivered }) => delivered === 3)).toBe(true);
  const most = (name: "resources" | "threads" | "listeners", from: number, to: number): number =>
    Math.max(...rounds.slice(from, to).map((round) => round[name]));
  for (const name of ["resources", "threads", "listeners"] as const)
    expect([name, most(name, 50, 60)]).toEqual([name, Math.min(most(name, 50, 60), most(name, 5, 15))]);
});
