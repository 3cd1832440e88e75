import * as http from "node:http";
import * as http2 from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  Code,
  ConnectError,
  createClient,
  createContextValues,
  createRouterTransport,
  type Interceptor,
} from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { describe, expect, it, onTestFinished } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { annotateSessionActivity, createMemoryPublisher, sessionContextKey } from "../../src/index.js";
import { accountClient, marks, startAccountServer } from "../support/account-server.js";
import { listen } from "../support/listen.js";
import { refusalOf } from "../support/refusal.js";
import { until } from "../support/until.js";
import { ok, tracking } from "./tracking-fixture.js";

/** A deadline that is told from a cancellation though the call took up to a tenth of it from the client to the server. */
const timeoutMs = 1_000;

/** protobuf-es has this from 2.10 on, and these tests also run with older ones. */
const msOf = ({ seconds, nanos }: { seconds: bigint; nanos: number }): number => Number(seconds) * 1e3 + nanos / 1e6;

describe("a marked call", () => {
  it("makes one complete event", async () => {
    const { adapter, events, interceptor } = tracking();
    const server = await startAccountServer({ changePassword: () => sleep(20).then(() => ({})) }, adapter);
    const before = Date.now();
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const headers = { ...marks("c2Vzc2lvbg", "change_password"), traceparent };
    await accountClient(server).changePassword({}, { headers });
    await until(() => events.length === 1);
    const [event] = events;
    expect(event).toMatchObject({
      encodedSessionContext: "c2Vzc2lvbg",
      service: "account-service",
      action: "change_password",
      procedure: "/example.account.v1.AccountService/ChangePassword",
      status: "OK",
      handlerStatus: "",
      sequence: 1n,
      traceparent,
      interrupted: false,
      contextVerified: false,
      contextProblem: "",
      attributes: {},
    });
    expect(event!.eventId).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    expect(event!.instanceId).toMatch(/^[\da-f-]{36}$/);
    const started = timestampMs(event!.startedAt!);
    expect(started).toBeGreaterThanOrEqual(before);
    expect(started).toBeLessThanOrEqual(Date.now());
    expect(msOf(event!.duration!)).toBeGreaterThanOrEqual(19);
    const total = (seconds: bigint, nanos: number): bigint => seconds * 1_000_000_000n + BigInt(nanos);
    expect(total(event!.completedAt!.seconds, event!.completedAt!.nanos)).toBe(
      total(event!.startedAt!.seconds, event!.startedAt!.nanos) +
        total(event!.duration!.seconds, event!.duration!.nanos),
    );
    expect(interceptor.stats()).toEqual({
      open: 0,
      oldestInHandMs: 0,
      tracked: 1,
      byStatus: { OK: 1 },
      bypassed: 0,
      leftEarly: 0,
      inferred: 0,
      inferredByStatus: {},
      skipped: {},
      dropped: 0,
      verified: 0,
      unverified: {},
      droppedContexts: 0,
      stalled: {},
      unrecordedContexts: 0,
    });
  });

  it("shows the handler the context, and no mark", async () => {
    const { adapter } = tracking();
    const seen: unknown[] = [];
    const server = await startAccountServer(
      {
        changePassword(_, context) {
          seen.push([...context.requestHeader.keys()].filter((name) => name.startsWith("x-session")));
          seen.push(context.values.get(sessionContextKey));
          return {};
        },
      },
      adapter,
    );
    const headers = { ...marks("abc", "login"), "x-session-signature": "sig", "x-session-id": "mine" };
    await accountClient(server).changePassword({}, { headers });
    expect(seen).toEqual([["x-session-context", "x-session-id"], "abc"]);
  });

  it("ends its duration where the caller's outcome was decided, and tells how the handler ended", async () => {
    const { adapter, events } = tracking();
    let goOn = (): void => {};
    const mayGoOn = new Promise<void>((resolve) => (goOn = resolve));
    const server = await startAccountServer(
      { changePassword: () => mayGoOn.then(() => sleep(400)).then(() => ({})) },
      adapter,
    );
    const calledAt = performance.now();
    const call = accountClient(server).changePassword({}, { headers: marks(), timeoutMs });
    await expect(call).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    // The server's timer was set a moment after the client's, and before this one.
    await sleep(100);
    const decidedWithinMs = performance.now() - calledAt;
    goOn();
    await until(() => events.length === 1);
    expect(events[0]).toMatchObject({ status: "DEADLINE_EXCEEDED", handlerStatus: "OK" });
    expect(msOf(events[0]!.duration!)).toBeLessThanOrEqual(decidedWithinMs);
  });

  it("gives its events consecutive numbers and ids that sort by time", async () => {
    const { adapter, events } = tracking();
    const server = await startAccountServer(ok, adapter);
    const client = accountClient(server);
    await Promise.all(Array.from({ length: 50 }, () => client.changePassword({}, { headers: marks() })));
    await until(() => events.length === 50);
    expect(events.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 50 }, (_, index) => BigInt(index + 1)));
    expect(new Set(events.map(({ eventId }) => eventId)).size).toBe(50);
    expect(new Set(events.map(({ instanceId }) => instanceId)).size).toBe(1);
  });

  it("works in memory, without Node's requests", async () => {
    const { interceptor, events } = tracking();
    const transport = createRouterTransport((router) => router.service(AccountService, ok), {
      router: { interceptors: [interceptor] },
    });
    await createClient(AccountService, transport).changePassword({}, { headers: marks() });
    await until(() => events.length === 1);
    expect(events[0]).toMatchObject({ status: "OK" });
  });

  it("works for a GET of the Connect protocol", async () => {
    const { adapter, events } = tracking();
    const server = await startAccountServer({ getProfile: () => ({ displayName: "Ada" }) }, adapter, "1.1");
    const url = `${server.baseUrl}/example.account.v1.AccountService/GetProfile?connect=v1&encoding=json&message=%7B%7D`;
    const response = await fetch(url, { headers: marks() });
    expect(await response.json()).toEqual({ displayName: "Ada" });
    await until(() => events.length === 1);
    expect(events[0]).toMatchObject({ status: "OK", procedure: "/example.account.v1.AccountService/GetProfile" });
  });

  it("tells of an answer that a caller never reads", async () => {
    const { adapter, events } = tracking();
    let handled = false;
    const server = await startAccountServer(
      {
        changePassword() {
          handled = true;
          return { note: "x".repeat(500_000) };
        },
      },
      adapter,
    );
    const session = http2.connect(server.baseUrl);
    const request = session.request({
      ":method": "POST",
      ":path": "/example.account.v1.AccountService/ChangePassword",
      "content-type": "application/proto",
      "connect-timeout-ms": "300",
      ...marks(),
    });
    request.on("error", () => {});
    request.end();
    await until(() => handled);
    await sleep(320);
    expect(events).toEqual([]);
    request.close(http2.constants.NGHTTP2_CANCEL);
    await until(() => events.length === 1);
    expect(events[0]).toMatchObject({ status: "DEADLINE_EXCEEDED", handlerStatus: "OK" });
    session.destroy();
  });

  it("tells the answer to a caller that sets a deadline and does not keep it", async () => {
    const { adapter, events } = tracking();
    const server = await startAccountServer(
      // Later than an answer can be that crosses the caller's leaving, however late the event loop is.
      { changePassword: () => sleep(1_200).then(() => ({ revision: 7 })) },
      adapter,
      "1.1",
    );
    const response = await fetch(`${server.baseUrl}/example.account.v1.AccountService/ChangePassword`, {
      method: "POST",
      headers: { ...marks(), "content-type": "application/json", "connect-timeout-ms": "50" },
      body: "{}",
    });
    expect(await response.json()).toEqual({ revision: 7 });
    await until(() => events.length === 1);
    expect(events[0]).toMatchObject({ status: "OK", handlerStatus: "" });
  });

  it("carries what the handler adds, within bounds", async () => {
    const { adapter, events, warnings } = tracking();
    const server = await startAccountServer(
      {
        changePassword(_, context) {
          annotateSessionActivity(context.values, {
            target: "user/41",
            long: "x".repeat(257),
            ["n".repeat(257)]: "",
            "": "",
          });
          annotateSessionActivity(context.values, { target: "user/42", umlaut: "ü".repeat(128), number: 7 as never });
          for (let i = 0; i < 20; i++) annotateSessionActivity(context.values, { [`a${i}`]: "v" });
          return {};
        },
      },
      adapter,
    );
    await accountClient(server).changePassword({}, { headers: marks() });
    await until(() => events.length === 1);
    expect(events[0]!.attributes).toEqual({
      target: "user/42",
      umlaut: "ü".repeat(128),
      ...Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`a${i}`, "v"])),
    });
    expect(warnings.filter(({ message }) => message.includes("attribute"))).toHaveLength(1);
  });

  it("is not annotated once its event is published, and annotating an untracked call does nothing", async () => {
    const { adapter, events } = tracking();
    const later: (() => void)[] = [];
    const server = await startAccountServer(
      {
        changePassword(_, context) {
          later.push(() => annotateSessionActivity(context.values, { late: "yes" }));
          return {};
        },
      },
      adapter,
    );
    await accountClient(server).changePassword({}, { headers: marks() });
    await accountClient(server).changePassword({});
    await until(() => events.length === 1);
    for (const annotate of later) annotate();
    expect(events[0]!.attributes).toEqual({});
    expect(() => annotateSessionActivity(createContextValues(), { a: "b" })).not.toThrow();
  });
});

describe("what a gateway or a stranger may send", () => {
  async function eventOf(headers: [string, string][]) {
    const tracked = tracking();
    const server = await startAccountServer(ok, tracked.adapter);
    await accountClient(server).changePassword({}, { headers });
    await until(() => tracked.interceptor.stats().open === 0);
    return { ...tracked, event: tracked.events[0] };
  }

  it.each([
    ["no mark", []],
    ["a context only", [["x-session-context", "abc"]]],
    [
      "false",
      [
        ["x-session-track", "false"],
        ["x-session-context", "abc"],
      ],
    ],
    [
      "TRUE",
      [
        ["x-session-track", "TRUE"],
        ["x-session-context", "abc"],
      ],
    ],
  ] as [string, [string, string][]][])("%s: no event", async (_, headers) => {
    const { events, interceptor } = await eventOf(headers);
    expect(events).toEqual([]);
    expect(interceptor.stats()).toMatchObject({ tracked: 0, skipped: {} });
  });

  it("a mark without context: no event, counted, one warning", async () => {
    const { events, interceptor, warnings } = await eventOf([["x-session-track", "true"]]);
    expect(events).toEqual([]);
    expect(interceptor.stats()).toMatchObject({ tracked: 0, skipped: { context_empty: 1 } });
    expect(warnings).toHaveLength(1);
  });

  it.each([
    [
      "a repeated mark",
      [
        ["x-session-track", "true"],
        ["x-session-track", "true"],
        ["x-session-context", "abc"],
      ],
      "abc",
    ],
    [
      "a mark appended to a client's",
      [
        ["x-session-track", "0"],
        ["x-session-track", "true"],
        ["x-session-context", "abc"],
      ],
      "abc",
    ],
    [
      "a padded mark",
      [
        ["x-session-track", "  true "],
        ["x-session-context", "abc"],
      ],
      "abc",
    ],
    [
      "names in other cases",
      [
        ["X-Session-TRACK", "true"],
        ["X-SESSION-context", "abc"],
      ],
      "abc",
    ],
    [
      "a repeated context",
      [
        ["x-session-track", "true"],
        ["x-session-context", "a"],
        ["x-session-context", "b"],
      ],
      "a, b",
    ],
  ] as [string, [string, string][], string][])("%s: an event", async (_, headers, context) => {
    const { event } = await eventOf(headers);
    expect(event).toMatchObject({ encodedSessionContext: context, contextProblem: "" });
  });

  it.each([8_192, 8_193, 60_000])("a context of %d bytes", async (size) => {
    const { event } = await eventOf([
      ["x-session-track", "true"],
      ["x-session-context", "x".repeat(size)],
    ]);
    expect(event).toMatchObject(
      size > 8_192
        ? { encodedSessionContext: "", contextProblem: "too_large" }
        : { encodedSessionContext: "x".repeat(size), contextProblem: "" },
    );
  });

  it("an operation that is not well-formed: it is not the action", async () => {
    const { event } = await eventOf([...Object.entries(marks("abc", "change\tpassword"))]);
    expect(event!.action).toBe("change_password");
  });

  it("a context that is not ASCII: kept as it came, and the call is not harmed", async () => {
    const tracked = tracking();
    const server = await startAccountServer(ok, tracked.adapter, "1.1");
    const response = await fetch(`${server.baseUrl}/example.account.v1.AccountService/ChangePassword`, {
      method: "POST",
      headers: { ...marks("gr\u00fc\u00dfe"), "content-type": "application/json" },
      body: "{}",
    });
    expect(response.status).toBe(200);
    await until(() => tracked.events.length === 1);
    expect(tracked.events[0]!.encodedSessionContext).toBe("gr\u00fc\u00dfe");
  });
});

describe("other interceptors", () => {
  it("twice in one chain: one event, one warning", async () => {
    const { interceptor, events, warnings } = tracking();
    const server = await startAccountServer(ok, { interceptors: [interceptor, interceptor] });
    for (let i = 0; i < 2; i++) await accountClient(server).changePassword({}, { headers: marks() });
    await until(() => events.length === 2);
    expect(warnings).toEqual([
      {
        message: expect.stringContaining("registered twice"),
        details: { kind: "registered_twice", procedure: expect.stringContaining("ChangePassword") },
      },
    ]);
  });

  it("one before it that fails an answer over the wire is seen, one that remaps an error is not", async () => {
    const { interceptor, events } = tracking();
    const remap: Interceptor = (next) => async (request) => {
      const response = await next(request).catch(() => {
        throw new ConnectError("remapped", Code.NotFound);
      });
      if (request.header.get("x-fail") !== null) throw new ConnectError("after all", Code.DataLoss);
      return response;
    };
    const server = await startAccountServer(
      {
        changePassword: () => ({}),
        updateProfile() {
          throw new ConnectError("no", Code.PermissionDenied);
        },
      },
      { interceptors: [remap, interceptor] },
    );
    for (const protocol of ["connect", "grpc"] as const) {
      const client = accountClient(server, protocol);
      await expect(client.changePassword({}, { headers: { ...marks(), "x-fail": "1" } })).rejects.toThrow("after all");
      await expect(client.updateProfile({}, { headers: marks() })).rejects.toThrow("remapped");
    }
    await until(() => events.length === 4);
    expect(events.map(({ status }) => status)).toEqual([
      "DATA_LOSS",
      "PERMISSION_DENIED",
      "DATA_LOSS",
      "PERMISSION_DENIED",
    ]);
  });
});

describe("what services do against the rules", () => {
  const odd: [string, Interceptor][] = [
    ["answers undefined", () => () => Promise.resolve(undefined as never)],
    [
      "answers without a trailer",
      (next) => async (request) => ({ ...(await next(request)), trailer: undefined }) as never,
    ],
  ];
  it.each(odd)("an inner interceptor that %s: INTERNAL for the caller, one event, no harm", async (_, inner) => {
    for (const protocol of ["connect", "grpc"] as const) {
      for (const withContextValues of [true, false]) {
        const { interceptor, events, adapter } = tracking();
        const { contextValues } = adapter;
        const server = await startAccountServer(ok, {
          interceptors: [interceptor, inner],
          ...(withContextValues && { contextValues }),
        });
        const call = accountClient(server, protocol).changePassword({}, { headers: marks() });
        await expect(call).rejects.toMatchObject({ code: Code.Internal });
        await until(() => events.length === 1);
        expect(events[0]).toMatchObject({ status: "INTERNAL" });
        expect(interceptor.stats().open).toBe(0);
      }
    }
  });

  it("an error whose properties throw: the caller receives what it would without us, and the event comes", async () => {
    const hostile = (): Error => {
      const throwing = (): never => {
        throw new Error("getter");
      };
      return Object.defineProperties(new Error("x"), { name: { get: throwing }, cause: { get: throwing } });
    };
    const { adapter, events, interceptor } = tracking();
    const leave = new AbortController();
    const server = await startAccountServer(
      {
        async changePassword(_, { signal }) {
          leave.abort();
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          throw hostile();
        },
      },
      adapter,
    );
    const left = accountClient(server).changePassword({}, { headers: marks(), signal: leave.signal });
    await expect(left).rejects.toThrow();
    await until(() => events.length === 1);
    expect(events[0]).toMatchObject({ status: "CANCELLED", handlerStatus: "INTERNAL" });
    expect(interceptor.stats().open).toBe(0);
  });

  it("a caller that takes no data and leaves: the handler's own code is not lost", async () => {
    for (const contentType of ["application/proto", "application/grpc-web+proto", "application/grpc+proto"]) {
      const { adapter, events } = tracking();
      let leave = (): void => {};
      const server = await startAccountServer(
        {
          changePassword() {
            setTimeout(leave, 100);
            throw new ConnectError("no", Code.PermissionDenied);
          },
        },
        adapter,
      );
      const session = http2.connect(server.baseUrl, { settings: { initialWindowSize: 0 } });
      const request = session.request({
        ":method": "POST",
        ":path": "/example.account.v1.AccountService/ChangePassword",
        "content-type": contentType,
        ...marks(),
      });
      request.on("error", () => {});
      leave = () => request.close(http2.constants.NGHTTP2_CANCEL);
      request.end(contentType === "application/proto" ? undefined : Buffer.alloc(5));
      await until(() => events.length === 1);
      const { status, handlerStatus } = events[0]!;
      // gRPC's trailers need no window, so that its caller has the answer.
      const expected = contentType === "application/grpc+proto" ? "PERMISSION_DENIED" : "CANCELLED";
      expect(`${status}/${handlerStatus}`).toBe(`${expected}/${expected === "CANCELLED" ? "PERMISSION_DENIED" : ""}`);
      session.destroy();
    }
  });

  it("a response stream that cannot even begin: its code", async () => {
    const { adapter, events } = tracking();
    const inner: Interceptor = (next) => async (request) => {
      const message = {
        [Symbol.asyncIterator]() {
          throw new ConnectError("no", Code.NotFound);
        },
      };
      return { ...(await next(request)), message } as never;
    };
    const server = await startAccountServer(
      { async *watchSessions() {} },
      { ...adapter, interceptors: [...adapter.interceptors, inner] },
    );
    const call = drainMessages(accountClient(server).watchSessions({}, { headers: marks() }));
    await expect(call).rejects.toMatchObject({ code: Code.NotFound });
    await until(() => events.length === 1);
    expect(events[0]).toMatchObject({ status: "NOT_FOUND" });
  });

  it("attributes that are none: no throw, one warning", async () => {
    const { adapter, events, warnings } = tracking();
    const server = await startAccountServer(
      {
        changePassword(_, { values }) {
          annotateSessionActivity(values, undefined as never);
          annotateSessionActivity(values, null as never);
          annotateSessionActivity(values, { first: 7 as never, second: "kept" });
          return {};
        },
      },
      adapter,
    );
    await accountClient(server).changePassword({}, { headers: marks() });
    await until(() => events.length === 1);
    expect(events[0]!.attributes).toEqual({ second: "kept" });
    expect(warnings).toHaveLength(1);
  });

  it.each(["1.1", "2"] as const)(
    "middleware that outlasts the caller, over HTTP/%s: CANCELLED",
    async (httpVersion) => {
      const { interceptor, events } = tracking();
      const handler = connectNodeAdapter({
        routes: (router) => router.service(AccountService, { getProfile: () => ({}) }),
        interceptors: [interceptor],
        contextValues: interceptor.contextValues,
      });
      let seen: (() => void) | undefined;
      const gone = new Promise<void>((resolve) => (seen = resolve));
      const leave = new AbortController();
      const waiting = (request: never, response: { on(event: "close", listener: () => void): void }): void => {
        setTimeout(() => leave.abort(), 50);
        response.on("close", () => {
          seen?.();
          setImmediate(() => handler(request, response as never));
        });
      };
      const server = httpVersion === "2" ? http2.createServer(waiting as never) : http.createServer(waiting as never);
      const { baseUrl } = await listen(server);
      const path = "/example.account.v1.AccountService/GetProfile?connect=v1&encoding=json&message=%7B%7D";
      if (httpVersion === "2") {
        const session = http2.connect(baseUrl);
        const request = session.request({ ":path": path, ...marks() });
        request.on("error", () => {});
        leave.signal.addEventListener("abort", () => request.close(http2.constants.NGHTTP2_CANCEL));
        await gone;
        session.close();
      } else {
        await expect(fetch(baseUrl + path, { headers: marks(), signal: leave.signal })).rejects.toThrow();
        await gone;
      }
      await until(() => events.length === 1);
      expect(events[0]).toMatchObject({ status: "CANCELLED", handlerStatus: "OK" });
    },
  );

  it.each(["connect", "grpc"] as const)("an answer that is too large after a shutdown, over %s", async (protocol) => {
    const shutdown = new AbortController();
    const { adapter, events } = tracking({ shutdownSignal: shutdown.signal });
    const server = await startAccountServer(
      {
        async changePassword() {
          shutdown.abort();
          await sleep(50);
          return { note: "x".repeat(5_000) };
        },
      },
      { ...adapter, writeMaxBytes: 1_000, shutdownSignal: shutdown.signal },
    );
    const call = accountClient(server, protocol).changePassword({}, { headers: marks() });
    await expect(call).rejects.toMatchObject({ code: Code.ResourceExhausted });
    await until(() => events.length === 1);
    expect(events[0]).toMatchObject({ status: "RESOURCE_EXHAUSTED", handlerStatus: "OK" });
  });

  it("a logger and a publisher that are async and reject: nothing is left unhandled", async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on("unhandledRejection", note);
    onTestFinished(() => void process.off("unhandledRejection", note));
    const rejecting = (): never => Promise.reject(new Error("no")) as never;
    const { adapter, interceptor } = tracking({
      publisher: { ...createMemoryPublisher(), publish: rejecting },
      log: { debug: rejecting, info: rejecting, warn: rejecting, error: rejecting },
    });
    const server = await startAccountServer(ok, adapter);
    await accountClient(server).changePassword({}, { headers: marks() });
    await until(() => interceptor.stats().skipped.publisher_error === 1);
    await sleep(20);
    expect(unhandled).toEqual([]);
  });
});

describe("drain", () => {
  it("waits for open calls, and publishes as UNSETTLED what is open after its time", async () => {
    const { adapter, interceptor, events } = tracking();
    const server = await startAccountServer(
      {
        changePassword: () => sleep(150).then(() => ({})),
        updateProfile: () => new Promise<never>(() => {}),
        async *watchSessions() {
          yield { revision: 1 };
          await new Promise(() => {});
        },
      },
      adapter,
    );
    const client = accountClient(server);
    const left = client.updateProfile({}, { headers: marks("left"), timeoutMs });
    await expect(left).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    void client.changePassword({}, { headers: marks("slow") });
    void client.updateProfile({}, { headers: marks("hanging") }).catch(() => {});
    const stream = client.watchSessions({}, { headers: marks("stream") })[Symbol.asyncIterator]();
    await stream.next();
    await until(() => interceptor.stats().tracked === 4);
    await Promise.all([interceptor.drain(2_000), interceptor.drain(2_000)]);
    const byContext = Object.fromEntries(
      events.map((event) => [event.encodedSessionContext, `${event.status}/${event.handlerStatus}`]),
    );
    expect(byContext).toEqual({
      slow: "OK/",
      hanging: "UNSETTLED/",
      stream: "UNSETTLED/",
      left: "DEADLINE_EXCEEDED/UNSETTLED",
    });
    expect(interceptor.stats()).toMatchObject({ open: 0, tracked: 4 });
    await interceptor.drain(0);
  });

  it("loses no event in the shutdown sequence under load", async () => {
    const shutdown = new AbortController();
    const { adapter, interceptor, publisher } = tracking({ shutdownSignal: shutdown.signal });
    let handled = 0;
    const server = await startAccountServer(
      {
        async changePassword() {
          handled += 1;
          await sleep(Math.random() * 20);
          return {};
        },
        async *watchSessions(_, { signal }) {
          handled += 1;
          while (!signal.aborted) {
            yield { revision: 1 };
            await sleep(5);
          }
        },
      },
      { ...adapter, shutdownSignal: shutdown.signal },
    );
    const client = accountClient(server);
    let calling = true;
    const callers = Array.from({ length: 16 }, async (_, index) => {
      while (calling) {
        const options = { headers: marks() };
        await (index % 4 === 0
          ? drainMessages(client.watchSessions({}, options))
          : client.changePassword({}, options)
        ).catch(() => {
          calling = false;
        });
      }
    });
    await until(() => handled > 200);
    shutdown.abort();
    await server.close();
    await interceptor.drain(5_000);
    const { delivered } = await publisher.close();
    expect(delivered).toBe(handled);
    calling = false;
    await Promise.all(callers);
  });
});

describe("options", () => {
  it.each([
    [{ service: 7 }, "service", "service must be a text without control characters, got 7"],
    [{ service: "a\u0007b" }, "service", 'service must be a text without control characters, got "a\\u0007b"'],
    [{ publisher: {} }, "publisher", "publisher must be a Publisher, got an object"],
    [{ publisher: null }, "publisher", "publisher must be a Publisher, got null"],
    [{ publisher: Promise.resolve({}) }, "publisher", "publisher must be a Publisher, got a promise"],
    [
      { settleTimeoutMs: -1 },
      "settleTimeoutMs",
      "settleTimeoutMs must be a number of milliseconds from 0 to 2147483647, got -1",
    ],
    [
      { settleTimeoutMs: "10s" },
      "settleTimeoutMs",
      'settleTimeoutMs must be a number of milliseconds from 0 to 2147483647, got "10s"',
    ],
    [
      { maxContextBytes: 0.5 },
      "maxContextBytes",
      "maxContextBytes must be a whole number of bytes from 1 to 2147483647, got 0.5",
    ],
    [
      { shutdownSignal: new AbortController() },
      "shutdownSignal",
      "shutdownSignal must be an AbortSignal, got an AbortController: give its signal",
    ],
    [
      { log: "stderr" },
      "log",
      'log must be a logger with the methods debug, info, warn and error, or false, got "stderr"',
    ],
    [
      { log: { warn() {}, error() {} } },
      "log",
      "log must be a logger with the methods debug, info, warn and error, or false, got an object: it lacks debug and info",
    ],
  ])("%j is refused", (options, option, message) => {
    expect(refusalOf(() => tracking(options as never))).toMatchObject({ message, option, code: "ERR_OPTION_INVALID" });
  });

  it.each([
    [{ serviceName: "a" }, "serviceName", "service"],
    [{ settleTimeout: 1 }, "settleTimeout", "settleTimeoutMs"],
    [{ signal: new AbortController().signal }, "signal", "shutdownSignal"],
  ])("%j is unknown", (options, option, expected) => {
    expect(refusalOf(() => tracking(options as never))).toMatchObject({
      message: `${option} is not an option of createSessionActivityInterceptor: did you mean ${expected}?`,
      code: "ERR_OPTION_UNKNOWN",
      option,
      expected,
    });
  });

  it.each(["", "  "])("a service named %j becomes unknown-service", async (service) => {
    const { adapter, events } = tracking({ service });
    const server = await startAccountServer(ok, adapter);
    await accountClient(server).changePassword({}, { headers: marks() });
    await until(() => events.length === 1);
    expect(events[0]!.service).toBe("unknown-service");
  });
});

async function drainMessages(messages: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of messages);
}
