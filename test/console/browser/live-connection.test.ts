import { createServer } from "node:http";
import { connect, createServer as createTcpServer, type Socket } from "node:net";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { startConsole } from "../../../src/console/console.js";
import { freePorts } from "../../support/free-ports.js";
import { listen } from "../../support/listen.js";
import { callEvent, enter, startRig } from "../console-fixtures.js";
import { launchBrowser } from "./browser.js";
import { openConsole } from "./console-page.js";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser?.close());

it("comes back by itself after the console was started anew, and says what it cannot know", async () => {
  const [port = 0] = await freePorts(1);
  const rig = await startRig({ port });
  const { page, faults } = await openConsole(browser, rig);
  await rig.publish([callEvent({ id: "r-1", action: "before" })]);
  await page.getByRole("cell", { name: "before" }).waitFor();
  await rig.console.close();
  await page.getByText("The console does not answer").waitFor();
  const restarted = await startConsole({
    brokers: rig.kafka.brokers,
    database: rig.database,
    properties: { "fetch.wait.max.ms": 10 },
    port,
    env: false,
    log: false,
  });
  onTestFinished(() => restarted.close());
  // The old cookie is worth nothing any more.
  await page.getByText("does not know this browser").waitFor();
  const other = await page.context().newPage();
  await other.goto(restarted.address);
  await page.getByText("what came in between is not shown here").waitFor();
  await rig.publish([callEvent({ id: "r-2", action: "after" })]);
  await page.getByRole("cell", { name: "after" }).waitFor();
  expect(await page.getByRole("cell", { name: "before" }).count()).toBe(1);
  expect(faults).toEqual([]);
});

it("misses nothing if only the connection was cut", async () => {
  const [door = 0] = await freePorts(1);
  const rig = await startRig({ publicOrigin: `http://127.0.0.1:${door}` });
  const sockets = new Set<Socket>();
  let isShut = false;
  const server = createTcpServer((socket) => {
    const inside = connect(rig.console.port, "127.0.0.1");
    for (const one of [socket, inside]) sockets.add(one.on("error", () => one.destroy()));
    if (isShut) socket.destroy();
    else socket.pipe(inside).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(door, "127.0.0.1", resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  onTestFinished(() => {
    cut();
    server.close();
  });
  const { page } = await openConsole(browser, rig);
  await rig.publish([callEvent({ id: "c-1", action: "first" })]);
  await page.getByRole("cell", { name: "first" }).waitFor();
  isShut = true;
  cut();
  await page.getByText("The console does not answer").waitFor();
  await rig.publish([callEvent({ id: "c-2", action: "second" })]);
  isShut = false;
  await page.getByRole("cell", { name: "second" }).waitFor();
  expect(await page.getByRole("cell", { name: "first" }).count()).toBe(1);
});

it("goes on behind a proxy without anybody's help", async () => {
  const [port = 0] = await freePorts(1);
  const rig = await startRig({ port, proxyHeader: "x-user" });
  const context = await browser.newContext({ extraHTTPHeaders: { "x-user": "grace" } });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  await page.goto(rig.console.address);
  await page.getByText("You are grace. What you look at is written to the topic session-activities.").waitFor();
  await rig.console.close();
  await page.getByText("The console does not answer").waitFor();
  const restarted = await startConsole({
    brokers: rig.kafka.brokers,
    database: rig.database,
    proxyHeader: "x-user",
    port,
    env: false,
    log: false,
  });
  onTestFinished(() => restarted.close());
  await page.getByText("what came in between is not shown here").waitFor();
});

it("refuses pages of other origins: they read nothing, and show nothing in a frame", async () => {
  const rig = await startRig();
  await rig.history.record(callEvent({ id: "o-1" }));
  const cookie = await enter(rig.console);
  const [name = "", value = ""] = cookie.split("=");
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  await context.addCookies([{ name, value, url: rig.origin, httpOnly: true, sameSite: "Strict" }]);
  const page = await context.newPage();
  // Another port of this machine is of the same site: the cookie goes along.
  const attacker = await listen(
    createServer((_request, response) => response.setHeader("content-type", "text/html").end("<p>attack</p>")),
  );
  await page.goto(attacker.baseUrl);
  const outcomes = await page.evaluate(async (origin) => {
    const read = (init: RequestInit): Promise<string> =>
      fetch(`${origin}/api/session?id=session-1`, { credentials: "include", ...init }).then(
        async (response) => `${response.type} ${await response.text()}`,
        () => "failed",
      );
    const stream = new Promise<string>((resolve) => {
      const source = new EventSource(`${origin}/api/live`, { withCredentials: true });
      source.addEventListener("message", ({ data }) => resolve(data));
      source.addEventListener("error", () => resolve("failed"));
    });
    const script = new Promise<string>((resolve) => {
      const tag = document.createElement("script");
      tag.src = `${origin}/assets/page.js`;
      tag.addEventListener("load", () => resolve("ran"));
      tag.addEventListener("error", () => resolve("failed"));
      document.head.append(tag);
    });
    return [
      await read({}),
      await read({ mode: "no-cors" }),
      await read({ method: "POST", headers: { "content-type": "application/json" } }),
      await read({ method: "POST", mode: "no-cors", body: "{}" }),
      await stream,
      await script,
    ];
  }, rig.origin);
  expect(outcomes.map((outcome) => outcome.replace("opaque ", "failed").trim())).toEqual(Array(6).fill("failed"));
  await page.evaluate((origin) => {
    const frame = document.createElement("iframe");
    frame.src = `${origin}/search?status=OK`;
    document.body.append(frame);
  }, rig.origin);
  await page.waitForTimeout(1_000);
  const texts = await Promise.all(
    page
      .frames()
      .slice(1)
      .map((frame) => frame.evaluate(() => document.body?.textContent ?? "").catch(() => "")),
  );
  expect(texts.join("")).not.toMatch(/login|session-1|Session activity/);
  // The user's own tab is let in.
  await page.goto(`${rig.origin}/session?id=session-1`);
  await page.getByRole("rowheader", { name: "login" }).waitFor();
});
