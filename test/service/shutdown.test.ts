import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { ServerResponse } from "node:http";
import { connect } from "node:net";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { accountClient, marks, startAccountServer } from "../support/account-server.js";
import { pause, until } from "../support/until.js";
import { gate, routesOf, serve, start, untilAborted } from "./wired-service.js";

const never = 600_000;

async function readAll(messages: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of messages) count += 1;
  return count;
}

/** Streams until its signal is aborted, and then ends as it is told to. */
const streaming = (end: (context: HandlerContext) => void) =>
  async function* (_: unknown, context: HandlerContext) {
    yield {};
    await untilAborted(context).catch(() => {});
    end(context);
    yield {};
  };

describe("a stream", () => {
  it.each([
    ["throws the reason", ({ signal }: HandlerContext) => signal.throwIfAborted(), "UNAVAILABLE"],
    ["ends normally", () => {}, "OK"],
    [
      "throws what it wants",
      () => {
        throw new ConnectError("moved", Code.FailedPrecondition);
      },
      "FAILED_PRECONDITION",
    ],
  ])("that %s when it is told ends at once, and its caller sees that", async (_, end, status) => {
    const { tracking, events } = start();
    const server = await serve(tracking, { routes: routesOf({ watchSessions: streaming(end) }) });
    const seen = readAll(accountClient(server).watchSessions({}, { headers: marks() })).then(
      () => "OK",
      (error: unknown) => Code[ConnectError.from(error).code],
    );
    await until(() => tracking.stats().interceptor.open === 1);
    const stats = await tracking.shutDown({ graceMs: never });
    expect((await seen).toUpperCase()).toBe(status.replaceAll("_", ""));
    expect(events.map((event) => event.status)).toEqual([status]);
    expect(stats.interceptor.byStatus).toEqual({ [status]: 1 });
  });

  it("that comes after the others were told is told, too", async () => {
    const { tracking, events } = start();
    const { opened, open } = gate();
    const server = await serve(
      tracking,
      {
        routes: routesOf({
          watchSessions: streaming(({ signal }) => signal.throwIfAborted()),
          async changePassword() {
            await opened;
            return {};
          },
        }),
      },
      "1.1",
    );
    // Kept open by a call, so that a request can follow it.
    const socket = connect(server.port, "127.0.0.1");
    let received = "";
    socket.on("data", (chunk) => (received += String(chunk)));
    const path = "/example.account.v1.AccountService";
    const post = (method: string, type: string, body: string): string =>
      `POST ${path}/${method} HTTP/1.1\r\nhost: h\r\ncontent-type: application/${type}\r\ncontent-length: ${body.length}\r\nx-session-track: true\r\nx-session-context: c\r\n\r\n${body}`;
    socket.write(post("ChangePassword", "json", "{}"));
    await until(() => tracking.stats().interceptor.open === 1);
    const shutDown = tracking.shutDown({ graceMs: never });
    socket.write(post("WatchSessions", "connect+json", "\0\0\0\0\u0002{}"));
    await until(() => tracking.stats().interceptor.tracked === 2);
    open();
    await shutDown;
    await until(() => received.includes('"unavailable"'));
    expect(events.map((event) => event.status).sort()).toEqual(["OK", "UNAVAILABLE"]);
  });
});

describe("a call that is not a stream", () => {
  it("has the grace, then its signal, then the drain timeout", async () => {
    const { tracking, events } = start({ drainTimeoutMs: 300 });
    let aborted = 0;
    const server = await serve(tracking, {
      routes: routesOf({
        changePassword: (_, context) =>
          untilAborted(context).catch(() => {
            aborted = performance.now();
            return new Promise(() => {});
          }),
      }),
    });
    const call = accountClient(server).changePassword({}, { headers: marks() });
    const failed = expect(call).rejects.toBeInstanceOf(ConnectError);
    await until(() => tracking.stats().interceptor.open === 1);
    const startedAt = performance.now();
    const { interceptor } = await tracking.shutDown({ graceMs: 300 });
    expect(aborted - startedAt).toBeGreaterThan(290);
    expect(performance.now() - aborted).toBeGreaterThan(290);
    await failed;
    expect(events.map(({ status, handlerStatus }) => [status, handlerStatus])).toEqual([["UNSETTLED", ""]]);
    expect(interceptor).toMatchObject({ open: 0, tracked: 1, byStatus: { UNSETTLED: 1 } });
  });

  it("whose connection is cut at the end has not left its service", async () => {
    const { tracking } = start({ drainTimeoutMs: 50 });
    const leavings: unknown[] = [];
    const note = (leaving: unknown): void => void leavings.push(leaving);
    subscribe("connect-session-activity:leaving", note);
    try {
      const hanging = routesOf({ changePassword: () => new Promise(() => {}) });
      const served = await serve(tracking, { routes: hanging });
      const cut = new Promise((resolve) => {
        served.server.once("request", (_, response: ServerResponse) => response.once("close", resolve));
      });
      const call = accountClient(served).changePassword({}, { headers: marks() });
      const failed = expect(call).rejects.toBeInstanceOf(ConnectError);
      await until(() => tracking.stats().interceptor.open === 1);
      await tracking.shutDown({ graceMs: 0 });
      await Promise.all([failed, cut]);
      expect(leavings).toHaveLength(0);
    } finally {
      unsubscribe("connect-session-activity:leaving", note);
    }
  });

  it("is not told before, marked or not", async () => {
    const { tracking, events } = start();
    const { opened, open } = gate();
    const aborted: boolean[] = [];
    const server = await serve(tracking, {
      routes: routesOf({
        async changePassword(_, { signal }) {
          await opened;
          aborted.push(signal.aborted);
          return {};
        },
      }),
    });
    const client = accountClient(server);
    const calls = [client.changePassword({}, { headers: marks() }), client.changePassword({})];
    await until(() => tracking.stats().interceptor.open === 1);
    const shutDown = tracking.shutDown({ graceMs: never });
    await pause(100);
    open();
    await Promise.all([...calls, shutDown]);
    expect(aborted).toEqual([false, false]);
    expect(events).toHaveLength(1);
  });
});

describe("shutDown", () => {
  it("resolves at once before any call, and without a server", async () => {
    const { tracking } = start();
    const { interceptor, publisher } = await tracking.shutDown({ graceMs: never });
    expect(interceptor).toMatchObject({ open: 0, tracked: 0, byStatus: {} });
    expect(publisher).toEqual({ offered: 0, delivered: 0, dropped: {}, queued: 0 });
  });

  it("again, during it and after it, changes nothing", async () => {
    const { tracking } = start();
    const first = tracking.shutDown({ graceMs: 10 });
    expect(tracking.shutDown({ graceMs: never })).toBe(first);
    await first;
    expect(tracking.shutDown()).toBe(first);
    expect(await tracking.close()).toEqual((await first).publisher);
    expect(tracking.ready()).toEqual({ ready: false, problems: ["shutting_down", "not_watched", "no_brokers"] });
  });

  it.each([{ graceMs: Number.NaN }, { graceMs: "5s" }, { grace: 5 }, "SIGTERM"])(
    "takes the default for the wrong option %j, and says so",
    async (options) => {
      const { tracking, warnings } = start();
      await tracking.shutDown(options as never);
      expect(warnings).toEqual([expect.stringMatching(/must be|is not an option.*: the default is used$/)]);
    },
  );

  it("after close, and close after it, deliver once", async () => {
    const { tracking } = start();
    const closed = tracking.close();
    expect((await tracking.shutDown()).publisher).toEqual(await closed);
  });

  it("does not wait for calls of another tracking object", async () => {
    const [one, other] = [start(), start()];
    const server = await serve(one.tracking, {
      routes: routesOf({ changePassword: (_, context) => untilAborted(context) }),
    });
    const call = accountClient(server).changePassword({}, { headers: marks() });
    const failed = expect(call).rejects.toMatchObject({ code: Code.Unavailable });
    await until(() => one.tracking.stats().interceptor.open === 1);
    await other.tracking.shutDown({ graceMs: never });
    expect(one.tracking.stats().interceptor.open).toBe(1);
    await one.tracking.shutDown({ graceMs: 0 });
    await failed;
  });

  it("lets calls run that come to an adapter without a watched server, and counts their events as dropped", async () => {
    const { tracking } = start();
    const options = tracking.adapterOptions({ routes: routesOf({ changePassword: () => ({}) }) });
    const server = await startAccountServer({}, options, "2", options.routes);
    await tracking.shutDown();
    await accountClient(server).changePassword({}, { headers: marks() });
    await until(() => tracking.stats().interceptor.tracked === 1);
    expect(tracking.stats().publisher).toMatchObject({ offered: 1, queued: 0 });
  });
});

describe("wired by hand", () => {
  it.each(["with contextValues", "without"])(
    "a shutdown by the user's own signal and close tells statuses, %s",
    async (how) => {
      const controller = new AbortController();
      const shutdownSignal = controller.signal;
      const { tracking, events } = start({ shutdownSignal });
      const { interceptor } = tracking;
      const server = await startAccountServer(
        {
          changePassword: (_, context) => untilAborted(context),
          watchSessions: streaming(({ signal }) => signal.throwIfAborted()),
        },
        {
          interceptors: [interceptor],
          shutdownSignal,
          ...(how === "with contextValues" && { contextValues: interceptor.contextValues }),
        },
      );
      const client = accountClient(server);
      const ends = Promise.allSettled([
        client.changePassword({}, { headers: marks() }),
        readAll(client.watchSessions({}, { headers: marks() })),
      ]);
      await until(() => tracking.stats().interceptor.open === 2);
      controller.abort(new ConnectError("bye", Code.Unavailable));
      await tracking.close();
      for (const end of await ends) expect(end).toMatchObject({ reason: { code: Code.Unavailable } });
      expect(events.map(({ status, handlerStatus }) => [status, handlerStatus])).toEqual(
        [0, 1].map(() => ["UNAVAILABLE", ""]),
      );
    },
  );
});
