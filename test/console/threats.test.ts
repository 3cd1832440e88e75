// The list of threats in docs/console.md, each as a test.
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Logger } from "../../src/base/log.js";
import { type SessionConsole, startConsole } from "../../src/console/console.js";
import { createSignalHistory, openSignalDatabase } from "../../src/history/index.js";
import { createSessionActivityConsumer } from "../../src/kafka/index.js";
import { quick } from "../kafka/consumer/consumer-fixtures.js";
import { until } from "../support/until.js";
import { type Answer, ask, callEvent, enter, type Question, startRig as startOwnRig } from "./console-fixtures.js";

/** Making one takes a second. */
const shared = openSignalDatabase({ env: false });
beforeAll(() => createSignalHistory({ database: shared, env: false, log: false }).migrate(), 60_000);
afterAll(() => shared.close());

const startRig = (options: Parameters<typeof startOwnRig>[0] = {}): ReturnType<typeof startOwnRig> =>
  startOwnRig({ database: shared, ...options });

const dataPaths = ["/api/search?all=yes", "/api/session?id=session-1", "/api/live", "/api/completeness", "/api/viewer"];

interface Opened {
  readonly console: SessionConsole;
  readonly port: number;
  readonly cookie: string;
  readonly origin: string;
  ask(question: Question): Promise<Answer>;
}

async function open(
  options: Parameters<typeof startRig>[0] = {},
): Promise<Opened & Awaited<ReturnType<typeof startRig>>> {
  const rig = await startRig(options);
  const cookie = await enter(rig.console);
  const { port } = rig.console;
  return {
    ...rig,
    port,
    cookie,
    ask: ({ headers, ...rest }) => ask(port, { ...rest, headers: { cookie, ...headers } }),
  };
}

describe("the way in", () => {
  it("is the printed address, once: then there is a cookie that scripts and other sites do not have", async () => {
    const { console, origin } = await startRig();
    expect(console.address).toMatch(new RegExp(`^${origin}/\\?token=[\\w-]{43}$`));
    const path = console.address.slice(origin.length);
    const first = await ask(console.port, { path });
    expect(first.status).toBe(303);
    expect(first.headers["location"]).toBe("/");
    const [cookie = "", ...attributes] = String(first.headers["set-cookie"]).split("; ");
    expect(attributes).toEqual(["Path=/", "HttpOnly", "SameSite=Strict", "Max-Age=43200"]);
    expect((await ask(console.port, { path: "/", headers: { cookie } })).status).toBe(200);
    // Stolen after its use.
    const second = await ask(console.port, { path });
    expect(second.status).toBe(401);
    expect(second.headers["set-cookie"]).toBeUndefined();
    // Whoever has the cookie may open it again, and gets no other one.
    const again = await ask(console.port, { path, headers: { cookie } });
    expect([again.status, again.headers["set-cookie"]]).toEqual([303, undefined]);
  });

  it("is no other token, no HEAD, no prefetch and no POST", async () => {
    const { console, origin } = await startRig();
    const path = console.address.slice(origin.length);
    expect((await ask(console.port, { path: "/?token=guessed" })).status).toBe(401);
    expect((await ask(console.port, { path: "/?token=" })).status).toBe(401);
    expect((await ask(console.port, { path, method: "HEAD" })).status).toBe(403);
    expect((await ask(console.port, { path, headers: { "sec-purpose": "prefetch" } })).status).toBe(403);
    expect((await ask(console.port, { path, method: "POST", headers: { origin } })).status).toBe(403);
    // None of these has used it up.
    expect((await ask(console.port, { path })).status).toBe(303);
  });

  it.each(["/", "/session?id=1", "/assets/page.js", ...dataPaths])("is needed for %s", async (path) => {
    const { console } = await startRig();
    expect((await ask(console.port, { path })).status).toBe(401);
    await enter(console);
    for (const cookie of ["", `session-activity-console-${console.port}=guessed`, "session-activity-console=1"]) {
      expect((await ask(console.port, { path, headers: { cookie } })).status).toBe(401);
    }
  });

  it("leaves no token in the log, and none that another site could learn from a Referer", async () => {
    const lines: unknown[] = [];
    const note = (...line: unknown[]): void => void lines.push(line);
    const log: Logger = { debug: note, info: note, warn: note, error: note };
    const opened = await open({ log });
    const token = new URL(opened.console.address).searchParams.get("token") ?? "?";
    await ask(opened.port, { path: `/?token=${token}` });
    await ask(opened.port, { path: `/api/search?token=${token}`, headers: { host: "evil.example" } });
    expect(lines.length).toBeGreaterThan(0);
    expect(JSON.stringify(lines)).not.toContain(token);
    expect((await opened.ask({ path: "/" })).headers["referrer-policy"]).toBe("no-referrer");
  });
});

describe("who asks", () => {
  let opened: Awaited<ReturnType<typeof open>>;

  it("is told by the Host: another name may be an attacker's that leads here", async () => {
    opened = await open();
    for (const host of [
      "evil.example",
      `evil.example:${opened.port}`,
      "127.0.0.1",
      `127.0.0.1:${opened.port}.evil.example`,
    ]) {
      expect((await opened.ask({ path: "/api/search", headers: { host } })).status, host).toBe(421);
    }
    for (const host of [
      `127.0.0.1:${opened.port}`,
      `localhost:${opened.port}`,
      `LOCALHOST:${opened.port}`,
      `[::1]:${opened.port}`,
    ]) {
      expect((await opened.ask({ path: "/api/search", headers: { host } })).status, host).toBe(200);
    }
  });

  it("is told by the Origin, also of another port of this machine", async () => {
    opened = await open();
    for (const origin of [
      "https://evil.example",
      "null",
      "http://localhost:1",
      `https://127.0.0.1:${opened.port}`,
      "file://",
    ]) {
      for (const path of dataPaths) expect((await opened.ask({ path, headers: { origin } })).status, origin).toBe(403);
    }
    expect((await opened.ask({ path: "/api/search", headers: { origin: opened.origin } })).status).toBe(200);
  });

  it("is told by what the browser says of a request without an Origin", async () => {
    opened = await open();
    for (const site of ["cross-site", "same-site"]) {
      for (const path of dataPaths) {
        expect(
          (await opened.ask({ path, headers: { "sec-fetch-site": site, "sec-fetch-mode": "no-cors" } })).status,
        ).toBe(403);
      }
    }
    const link = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
    expect((await opened.ask({ path: "/search", headers: link })).status).toBe(200);
    expect((await opened.ask({ path: "/api/search", headers: link })).status).toBe(403);
    const frame = { ...link, "sec-fetch-dest": "iframe" };
    expect((await opened.ask({ path: "/search", headers: frame })).status).toBe(403);
  });

  it("reveals nothing by a form of another page, nor by a link", async () => {
    opened = await open();
    await opened.history.record(callEvent({ id: "e-1" }));
    const path = "/api/session?id=session-1";
    const own = { origin: opened.origin, "content-type": "application/json" };
    expect((await opened.ask({ path, method: "POST", headers: { "content-type": "application/json" } })).status).toBe(
      403,
    );
    expect((await opened.ask({ path, method: "POST", headers: { ...own, "content-type": "text/plain" } })).status).toBe(
      403,
    );
    expect((await opened.ask({ path, method: "POST", headers: { ...own, origin: "null" } })).status).toBe(403);
    for (const method of ["PUT", "DELETE", "OPTIONS", "PATCH"]) {
      expect((await opened.ask({ path, method, headers: own })).status).toBe(405);
    }
    expect((await opened.ask({ path })).body).not.toContain("ada@example.com");
    expect((await opened.ask({ path, method: "POST", headers: own })).body).toContain("ada@example.com");
  });
});

describe("every answer", () => {
  it.each(["/", "/nothing", "/api/nothing", "/api/search", "/api/live", "/assets/page.js", "/?token=wrong"])(
    "forbids all but our own script and style, frames, caches and guesses: %s",
    async (path) => {
      const { ask: askOwn } = await open();
      const { headers } = await askOwn({ path });
      const policy = String(headers["content-security-policy"]).split("; ");
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).toContain("script-src 'self'");
      expect(policy.join(" ")).not.toMatch(/unsafe|https?:|\*|data:|blob:/);
      expect(headers).toMatchObject({
        "cache-control": "no-store",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
      });
      expect(headers["access-control-allow-origin"]).toBeUndefined();
    },
  );

  it("names nothing from outside", async () => {
    const { ask: askOwn } = await open();
    for (const path of ["/", "/assets/page.css", "/assets/icon.svg"]) {
      const { body } = await askOwn({ path });
      expect(body.replaceAll("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:\/\//);
    }
  });

  it("is small: all of the page has at most 200 KB when it is packed", async () => {
    const { ask: askOwn } = await open();
    const bodies = await Promise.all(
      ["/", "/assets/page.js", "/assets/page.css", "/assets/icon.svg"].map(
        async (path) => (await askOwn({ path })).body,
      ),
    );
    const bytes = bodies.reduce((sum, body) => sum + gzipSync(body).length, 0);
    expect(bytes).toBeGreaterThan(5_000);
    expect(bytes).toBeLessThan(200_000);
  });
});

describe("what cannot be seen", () => {
  it("starts only on the loopback, unless a proxy names the users", async () => {
    const database = { query: () => Promise.resolve({ rows: [] }) };
    const options = { brokers: "127.0.0.1:1", database, env: false, log: false } as const;
    for (const host of ["0.0.0.0", "::", "192.168.0.1", "console.example"]) {
      await expect(startConsole({ ...options, host })).rejects.toMatchObject({
        code: "ERR_OPTION_MISSING",
        option: "proxyHeader",
      });
    }
  });

  it("listens on the loopback only", async () => {
    const { console } = await startRig();
    // Another address of this machine's loopback network, that was not asked for.
    const socket = connect(console.port, "127.0.0.2");
    const error = await new Promise<NodeJS.ErrnoException>((resolve) => socket.on("error", resolve));
    expect(error.code).toBe("ECONNREFUSED");
  });

  it("believes the proxy's header, and only from the proxy's addresses", async () => {
    const behind = await startRig({ proxyHeader: "X-User", publicOrigin: "https://console.example" });
    expect(behind.console.address).toBe("https://console.example/");
    const question = (headers: Record<string, string>): Question => ({ path: "/api/viewer", headers });
    expect((await ask(behind.console.port, question({}))).status).toBe(401);
    expect((await ask(behind.console.port, question({ "x-user": " " }))).status).toBe(401);
    const { status, body } = await ask(behind.console.port, question({ "x-user": "grace", host: "console.example" }));
    expect({ status, ...JSON.parse(body) }).toMatchObject({ status: 200, user: "grace" });
    const elsewhere = await startRig({ proxyHeader: "X-User", proxyAddresses: ["192.0.2.1"] });
    expect((await ask(elsewhere.console.port, question({ "x-user": "grace" }))).status).toBe(403);
  });

  it("does not start if its looks cannot be written, unless that is wanted", { timeout: 60_000 }, async () => {
    const options = { brokers: "127.0.0.1:1", database: shared, env: false, log: false } as const;
    await expect(startConsole(options)).rejects.toThrow("cannot write to the trail who looks at what");
    const console = await startConsole({ ...options, noAudit: true });
    expect(console.address).toContain("token=");
    await console.close();
  });
});

describe("the trail of the looks", () => {
  it("tells who looked at what, and who revealed it", async () => {
    const opened = await open();
    const events: { action: string; attributes: Record<string, string> }[] = [];
    const consumer = createSessionActivityConsumer({
      brokers: opened.kafka.brokers,
      groupId: "auditors",
      properties: quick,
      env: false,
      handle: ({ action, attributes }) => void events.push({ action, attributes }),
      onInvalid: () => {},
    });
    await opened.ask({ path: "/api/session?id=session-1" });
    await opened.ask({
      path: "/api/session?id=session-1",
      method: "POST",
      headers: { origin: opened.origin, "content-type": "application/json" },
    });
    await opened.ask({ path: "/api/live" });
    await until(() => events.length >= 4);
    await consumer.close();
    const told = events.map(({ action, attributes }) => `${action} by ${attributes["user"]}: ${attributes["target"]}`);
    const user = userInfo().username;
    expect(told.toSorted()).toEqual([
      `console.look by ${user}: live`,
      `console.look by ${user}: session?id=session-1`,
      `console.reveal by ${user}: session?id=session-1`,
      `console.start by ${user}: `,
    ]);
  });

  it("is a condition: what cannot be noted is not shown", { timeout: 60_000 }, async () => {
    const opened = await open();
    await opened.history.record(callEvent({ id: "e-1" }));
    await opened.kafka.close();
    const { status, body } = await opened.ask({ path: "/api/session?id=session-1" });
    expect(status).toBe(503);
    expect(body).not.toContain("login");
  });
});

describe("bounds", () => {
  it("are there for live views: of forty, thirty-two are let in", async () => {
    const opened = await open();
    const sockets = Array.from({ length: 40 }, () => {
      const socket = connect(opened.port, "127.0.0.1");
      socket.write(`GET /api/live HTTP/1.1\r\nhost: 127.0.0.1:${opened.port}\r\ncookie: ${opened.cookie}\r\n\r\n`);
      let status = "";
      socket.on("data", (data: Buffer) => {
        status ||= data.toString().split(" ")[1] ?? "";
      });
      return { socket, status: () => status };
    });
    await until(() => sockets.every(({ status }) => status() !== ""));
    const statuses = sockets.map(({ status }) => status());
    expect(statuses.filter((status) => status === "200")).toHaveLength(32);
    expect(statuses.filter((status) => status === "503")).toHaveLength(8);
    for (const { socket } of sockets) socket.destroy();
  });

  it("are there for what is asked", async () => {
    const opened = await open();
    const paths = [
      "/api/search?limit=100000",
      "/api/search?limit=0",
      `/api/search?session=${"x".repeat(5_000)}`,
      "/api/search?since=yesterday",
      "/api/search?before=nonsense",
      "/api/search?action=%00",
      "/api/session",
      "/api/changes",
    ];
    for (const path of paths) expect((await opened.ask({ path })).status, path).toBe(400);
    for (const path of [
      "/api/__proto__",
      "/api/constructor",
      "/../../etc/passwd",
      "//evil.example/",
      "/assets/../console.js",
    ]) {
      expect((await opened.ask({ path })).status, path).toBe(404);
    }
  });
});

describe("the database", () => {
  it("is opened so that it refuses to change anything", async () => {
    const folder = await mkdtemp(join(tmpdir(), "console-read-only-"));
    const writer = openSignalDatabase({ url: `${folder}/db`, env: false });
    await createSignalHistory({ database: writer, env: false, log: false }).migrate();
    await writer.close();
    const reader = openSignalDatabase({ url: `${folder}/db`, readOnly: true, env: false });
    await expect(reader.query("delete from signal_history.activity")).rejects.toMatchObject({ code: "25006" });
    await expect(reader.query("create table other (id int)")).rejects.toMatchObject({ code: "25006" });
    expect((await reader.query("select count(*)::int as rows from signal_history.activity")).rows).toEqual([
      { rows: 0 },
    ]);
    await reader.close();
    const missing = openSignalDatabase({ url: `${folder}/none`, readOnly: true, env: false });
    await expect(missing.query("select 1")).rejects.toThrow("there is no database in this folder");
    await rm(folder, { recursive: true });
  });
});
