import { once } from "node:events";
import * as http from "node:http";
import * as http2 from "node:http2";
import * as https from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { describe, expect, it, onTestFinished } from "vitest";
import type { SessionTracking } from "../../src/kafka/index.js";
import { accountClient, marks } from "../support/account-server.js";
import { tlsFixture } from "../support/tls-fixture.js";
import { pause, until } from "../support/until.js";
import { gate, listenOn, routesOf, serve, start } from "./wired-service.js";

/** Longer than any test: what waits for this does not end in time. */
const never = 600_000;
const changePassword = "/example.account.v1.AccountService/ChangePassword";

/** A raw connection: what it received, and whether it has ended. */
interface Raw {
  readonly socket: Socket;
  readonly received: () => string;
  readonly closed: () => boolean;
}

async function open(port: number, secure = false): Promise<Raw> {
  const to = { port, host: "127.0.0.1" };
  const socket = secure ? connectTls({ ...to, rejectUnauthorized: false }) : connect(to);
  onTestFinished(() => void socket.destroy());
  let text = "";
  let isClosed = false;
  socket.on("data", (chunk) => (text += String(chunk)));
  socket.on("error", () => {});
  socket.on("close", () => (isClosed = true));
  await once(socket, secure ? "secureConnect" : "connect");
  return { socket, received: () => text, closed: () => isClosed };
}

function call(id: string, headers = marks(id)): string {
  const lines = Object.entries({
    host: "localhost",
    "content-type": "application/json",
    "content-length": "2",
    ...headers,
  });
  return `POST ${changePassword} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n{}`;
}

/** Shuts down, and answers whether that took less than the grace. */
async function endsAtOnce(tracking: SessionTracking): Promise<boolean> {
  return Promise.race([tracking.shutDown({ graceMs: never }).then(() => true), pause(10_000).then(() => false)]);
}

const ok = { changePassword: () => ({}) };

/** A handler that waits until it may answer. */
function waiting() {
  const { opened, open: answer } = gate();
  let begun = 0;
  const implementation = {
    async changePassword() {
      begun += 1;
      await opened;
      return { revision: 1 };
    },
  };
  return { implementation, answer, begun: () => begun };
}

describe("watch", () => {
  it.each([undefined, null, {}, "server", http, { server: {}, close() {} }, { close() {} }])("refuses %s", (given) => {
    const { tracking } = start();
    expect(() => tracking.watch(given as never)).toThrow("server must be an http, https or http2 server");
  });

  it("returns the server, and adds nothing the second time", () => {
    const { tracking } = start();
    const server = http.createServer();
    const count = (): number => server.eventNames().reduce((sum, name) => sum + server.listenerCount(name), 0);
    expect(tracking.watch(server)).toBe(server);
    const before = count();
    expect(tracking.watch(server)).toBe(server);
    expect(count()).toBe(before);
  });

  it("adds no listener for requests if the adapter was wired before", () => {
    const { tracking } = start();
    const server = http.createServer(connectNodeAdapter(tracking.adapterOptions({ routes: routesOf(ok) })));
    tracking.watch(server);
    expect(server.listenerCount("request")).toBe(1);
  });

  it("forgotten: calls work and have their events, and one warning says so", async () => {
    const { tracking, events, warnings } = start();
    const handler = connectNodeAdapter(tracking.adapterOptions({ routes: routesOf(ok) }));
    const server = await listenOn(http.createServer(handler));
    onTestFinished(() => void server.server.close());
    const client = accountClient(server, "connect", "1.1");
    for (let calls = 0; calls < 3; calls += 1) await client.changePassword({}, { headers: marks() });
    await until(() => events.length === 3);
    expect(warnings).toEqual([expect.stringContaining("no server is watched")]);
    expect(tracking.ready()).toEqual({ ready: true, problems: ["not_watched", "no_brokers"] });
    expect(await endsAtOnce(tracking)).toBe(true);
    server.server.closeAllConnections();
  });

  it("late: the connections before it are told of, waited for, and cut", async () => {
    const { tracking, events, warnings } = start();
    const { implementation, answer, begun } = waiting();
    const handler = connectNodeAdapter(tracking.adapterOptions({ routes: routesOf(implementation) }));
    const server = await listenOn(http.createServer(handler));
    const [busy, idle, stuck] = [await open(server.port), await open(server.port), await open(server.port)];
    busy.socket.write(call("busy"));
    stuck.socket.write("POST / HTTP/1.1\r\n");
    await until(() => begun() === 1);
    tracking.watch(server.server);
    await until(() => warnings.some((warning) => warning.includes("watched when it had connections already")));
    const shutDown = tracking.shutDown({ graceMs: 500 });
    answer();
    await until(() => busy.closed());
    expect(busy.received()).toContain("200 OK");
    await shutDown;
    await until(() => idle.closed() && stuck.closed());
    expect(events.map(({ status }) => status)).toEqual(["OK"]);
  });
});

describe("a server that does not listen", () => {
  const servers: [string, () => http.Server][] = [
    ["http", () => http.createServer()],
    ["https", () => https.createServer(tlsFixture)],
    ["h2c", () => http2.createServer() as never],
    ["http2", () => http2.createSecureServer({ ...tlsFixture, allowHTTP1: true }) as never],
  ];

  it.each(servers)("%s never listened", async (_, create) => {
    const { tracking } = start();
    tracking.watch(create());
    expect(await endsAtOnce(tracking)).toBe(true);
  });

  it.each(servers)("%s was closed before", async (_, create) => {
    const { tracking } = start();
    const { server } = await listenOn(tracking.watch(create()));
    server.close();
    expect(await endsAtOnce(tracking)).toBe(true);
  });

  it.each(servers)("%s is about to listen, or is watched after the shutdown", async (_, create) => {
    const { tracking } = start();
    const early = tracking.watch(create());
    early.listen(0, "localhost");
    expect(await endsAtOnce(tracking)).toBe(true);
    const late = tracking.watch(create());
    late.listen(0, "localhost");
    await pause(100);
    await until(() => !early.listening && !late.listening);
  });
});

it("two tracking objects watch one server, and both shut down", async () => {
  const [one, other] = [start(), start()];
  const { implementation, answer, begun } = waiting();
  const server = await serve(one.tracking, { routes: routesOf(implementation) });
  other.tracking.watch(server.server);
  const answered = accountClient(server).changePassword({}, { headers: marks() });
  await until(() => begun() === 1);
  const shutDowns = [one, other].map(({ tracking }) => tracking.shutDown({ graceMs: never }));
  answer();
  await Promise.all(shutDowns);
  expect((await answered).revision).toBe(1);
  expect([one.events.length, other.events.length]).toEqual([1, 0]);
});

describe("connections without a call do not keep a shutdown waiting", () => {
  it("that sent nothing", async () => {
    const { tracking } = start();
    const raw = await open((await serve(tracking, { routes: routesOf(ok) }, "1.1")).port);
    expect(await endsAtOnce(tracking)).toBe(true);
    await until(raw.closed);
  });

  it("that are idle on HTTP/2", async () => {
    const { tracking } = start();
    const server = await serve(tracking, { routes: routesOf(ok) });
    const session = http2.connect(server.baseUrl);
    await once(session, "connect");
    const raw = await open(server.port);
    expect(await endsAtOnce(tracking)).toBe(true);
    await until(() => session.destroyed && raw.closed());
  });

  it.each(["https", "http2"])("on %s: whose handshake goes on, and that sent nothing after it", async (kind) => {
    const { tracking } = start();
    const handler = connectNodeAdapter(tracking.adapterOptions({ routes: routesOf(ok) }));
    const created =
      kind === "https"
        ? https.createServer(tlsFixture, handler)
        : http2.createSecureServer({ ...tlsFixture, allowHTTP1: true }, handler);
    const server = await listenOn(tracking.watch(created as never));
    const [silent, shaking, shaken] = [await open(server.port), await open(server.port), await open(server.port, true)];
    shaking.socket.write(Buffer.from("16030100", "hex"));
    await pause(50);
    expect(await endsAtOnce(tracking)).toBe(true);
    await until(() => silent.closed() && shaking.closed() && shaken.closed());
  });

  it("that are kept alive, beside one with a call, which is answered and ended", async () => {
    const { tracking, events } = start();
    const { implementation, answer, begun } = waiting();
    const server = await serve(tracking, { routes: routesOf({ ...implementation, login: () => ({}) }) }, "1.1");
    const idle = await Promise.all([open(server.port), open(server.port), open(server.port)]);
    for (const { socket } of idle) socket.write(call("idle").replace("ChangePassword", "Login"));
    await until(() => idle.every(({ received }) => received().includes("200 OK")));
    const busy = await open(server.port);
    busy.socket.write(call("busy"));
    await until(() => begun() === 1);
    const shutDown = tracking.shutDown({ graceMs: never });
    await until(() => idle.every(({ closed }) => closed()));
    expect(busy.closed()).toBe(false);
    answer();
    await shutDown;
    await until(busy.closed);
    expect(busy.received()).toMatch(/200 OK.*connection: close/is);
    expect(events.map(({ status }) => status)).toEqual(["OK", "OK", "OK", "OK"]);
  });

  it("whose call has not fully come have the grace, and no more", async () => {
    const { tracking } = start({ drainTimeoutMs: never });
    const server = await serve(tracking, { routes: routesOf(ok) }, "1.1");
    const raw = await open(server.port);
    raw.socket.write(call("cut").slice(0, 40));
    await until(() => server.server.listening);
    await pause(50);
    await tracking.shutDown({ graceMs: 300 });
    await until(raw.closed);
  });

  it("that were handed on, as for WebSockets, have the grace, and no more", async () => {
    const { tracking } = start({ drainTimeoutMs: never });
    const server = await serve(tracking, { routes: routesOf(ok) }, "1.1");
    server.server.on("upgrade", (_, socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
      socket.pipe(socket);
    });
    server.server.on("connect", (_, socket) => socket.write("HTTP/1.1 200 OK\r\n\r\n"));
    const [upgraded, connected] = [await open(server.port), await open(server.port)];
    upgraded.socket.write("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
    connected.socket.write("CONNECT example.org:80 HTTP/1.1\r\nhost: example.org:80\r\n\r\n");
    await until(() => upgraded.received().includes("101") && connected.received().includes("200"));
    const shutDown = tracking.shutDown({ graceMs: 500 });
    upgraded.socket.write("still here");
    await until(() => upgraded.received().includes("still here"));
    await shutDown;
    await until(() => upgraded.closed() && connected.closed());
  });
});

describe("requests that come while the server stops", () => {
  it("on HTTP/1.1, pipelined behind an open call, are answered, and the last answer ends the connection", async () => {
    const { tracking, events } = start();
    const { implementation, answer, begun } = waiting();
    const server = await serve(tracking, { routes: routesOf(implementation) }, "1.1");
    const raw = await open(server.port);
    raw.socket.write(call("before"));
    await until(() => begun() === 1);
    const shutDown = tracking.shutDown({ graceMs: never });
    raw.socket.write(call("after-1") + call("after-2"));
    await until(() => begun() === 3);
    answer();
    await shutDown;
    await until(raw.closed);
    expect(raw.received().match(/200 OK/g)).toHaveLength(3);
    expect(raw.received().match(/connection: close/gi)).toHaveLength(1);
    await until(() => events.length === 3);
    expect(events.map(({ status }) => status)).toEqual(["OK", "OK", "OK"]);
  });

  it("on HTTP/1.1, pipelined before, are answered", async () => {
    const { tracking, events } = start();
    const { implementation, answer, begun } = waiting();
    const server = await serve(tracking, { routes: routesOf(implementation) }, "1.1");
    const raw = await open(server.port);
    raw.socket.write(call("1") + call("2") + call("3"));
    await until(() => begun() === 3);
    const shutDown = tracking.shutDown({ graceMs: never });
    answer();
    await shutDown;
    await until(raw.closed);
    expect(raw.received().match(/200 OK/g)).toHaveLength(3);
    await until(() => events.length === 3);
    expect(events.map(({ status }) => status)).toEqual(["OK", "OK", "OK"]);
  });

  it("on HTTP/2, as new streams of an open session, are refused, and the open ones are answered", async () => {
    const { tracking, events } = start();
    const { implementation, answer, begun } = waiting();
    const server = await serve(tracking, { routes: routesOf(implementation) });
    const session = http2.connect(server.baseUrl);
    onTestFinished(() => session.destroy());
    const request = (id: string): http2.ClientHttp2Stream => {
      const stream = session.request({
        ":method": "POST",
        ":path": changePassword,
        "content-type": "application/json",
        ...marks(id),
      });
      stream.on("error", () => {});
      stream.end("{}");
      return stream;
    };
    const first = request("first");
    const status = once(first, "response");
    await until(() => begun() === 1);
    let away = false;
    session.on("goaway", () => (away = true));
    const shutDown = tracking.shutDown({ graceMs: never });
    await until(() => away);
    // A client that knows better does not even try.
    const second = session.closed ? undefined : once(request("second"), "error").catch((error: unknown) => [error]);
    if (second !== undefined) expect(await second).toMatchObject([{ code: "ERR_HTTP2_STREAM_ERROR" }]);
    answer();
    expect((await status)[0]).toMatchObject({ ":status": 200 });
    first.resume();
    await shutDown;
    expect(events.map(({ encodedSessionContext }) => encodedSessionContext)).toEqual(["first"]);
  });

  it("on new connections are refused", async () => {
    const { tracking } = start();
    const { implementation, answer, begun } = waiting();
    const server = await serve(tracking, { routes: routesOf(implementation) });
    const client = accountClient(server);
    const first = client.changePassword({});
    await until(() => begun() === 1);
    const shutDown = tracking.shutDown({ graceMs: never });
    await pause(100);
    const code = await accountClient(server)
      .changePassword({})
      .catch((error: unknown) => ConnectError.from(error).code);
    expect(code).toBe(Code.Unavailable);
    answer();
    await first;
    await shutDown;
  });
});

describe("callers that read slowly", () => {
  const note = "n".repeat(20_000_000);

  it("have all of an answer that was written before the server stopped", async () => {
    const { tracking } = start();
    const server = await listenOn(tracking.watch(http.createServer((_, response) => void response.end(note))));
    const raw = await open(server.port);
    raw.socket.pause();
    raw.socket.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
    await until(() => server.server.listening);
    await pause(200);
    const shutDown = tracking.shutDown({ graceMs: never });
    await pause(200);
    raw.socket.resume();
    await shutDown;
    await until(raw.closed);
    expect(raw.received().length).toBeGreaterThan(note.length);
  });

  it.each(["1.1", "2"] as const)("or never, on HTTP/%s, are cut in the end", async (httpVersion) => {
    const { tracking, events } = start({ drainTimeoutMs: 300 });
    const server = await serve(tracking, { routes: routesOf({ changePassword: () => ({ note }) }) }, httpVersion);
    if (httpVersion === "1.1") {
      const raw = await open(server.port);
      raw.socket.pause();
      raw.socket.write(call("slow"));
    } else {
      const session = http2.connect(server.baseUrl);
      session.on("error", () => {});
      const stream = session.request({
        ":method": "POST",
        ":path": changePassword,
        "content-type": "application/json",
        ...marks("slow"),
      });
      stream.on("error", () => {});
      stream.end("{}");
    }
    await until(() => tracking.stats().interceptor.open === 1);
    await pause(100);
    await tracking.shutDown({ graceMs: 300 });
    expect(events.map(({ status, handlerStatus }) => [status, handlerStatus])).toEqual([["UNSETTLED", "OK"]]);
  });
});

it("waits for requests that are no calls of Connect's", async () => {
  const { tracking } = start();
  const { opened, open: answer } = gate();
  let begun = 0;
  const handler = connectNodeAdapter(tracking.adapterOptions({ routes: routesOf(ok) }));
  const server = http.createServer((request, response) => {
    if (request.url !== "/report") return handler(request, response);
    begun += 1;
    void opened.then(() => response.end("the report"));
  });
  const { port } = await listenOn(tracking.watch(server));
  const report = fetch(`http://127.0.0.1:${port}/report`).then((response) => response.text());
  await until(() => begun === 1);
  const shutDown = tracking.shutDown({ graceMs: never });
  await pause(100);
  answer();
  await shutDown;
  expect(await report).toBe("the report");
});

describe("what is like a fastify instance", () => {
  function fastifyLike(server: http.Server, onClose: () => Promise<unknown>) {
    let closing: Promise<void> | undefined;
    return {
      server,
      close() {
        closing ??= onClose().then(() => new Promise<void>((resolve) => server.close(() => resolve())));
        return closing;
      },
    };
  }

  it("is closed by its own method", async () => {
    const { tracking } = start();
    let closed = false;
    const app = fastifyLike(http.createServer(), async () => {
      closed = true;
    });
    expect(tracking.watch(app)).toBe(app);
    await listenOn(app.server);
    expect(await endsAtOnce(tracking)).toBe(true);
    expect([closed, app.server.listening]).toEqual([true, false]);
  });

  it("may shut down in a hook of its own, and its hooks may fail", async () => {
    const { tracking } = start();
    const hooked = fastifyLike(http.createServer(), () => tracking.shutDown({ graceMs: never }));
    const failing = fastifyLike(http.createServer(), () => Promise.reject(new Error("no")));
    for (const app of [hooked, failing]) await listenOn(tracking.watch(app).server);
    const { port } = hooked.server.address() as AddressInfo;
    const raw = await open(port);
    await Promise.race([hooked.close(), pause(10_000).then(() => Promise.reject(new Error("it hangs")))]);
    await until(() => raw.closed() && !hooked.server.listening && !failing.server.listening);
  });
});
