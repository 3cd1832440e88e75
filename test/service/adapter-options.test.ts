import { getEventListeners } from "node:events";
import { createServer } from "node:http";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  createClient,
  createContextKey,
  createContextValues,
  createRouterTransport,
  type HandlerContext,
  type Interceptor,
} from "@connectrpc/connect";
import { type ConnectNodeAdapterOptions, connectNodeAdapter } from "@connectrpc/connect-node";
import { describe, expect, expectTypeOf, it, onTestFinished, vi } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { accountClient, marks } from "../support/account-server.js";
import { pause, until } from "../support/until.js";
import { gate, listenOn, routesOf, serve, start, untilAborted } from "./wired-service.js";

const ok = { changePassword: () => ({ revision: 1 }) };
const methods = AccountService.method;

/** Notes what an interceptor sees of the mark. */
function noting(): { interceptor: Interceptor; seen: (string | null)[] } {
  const seen: (string | null)[] = [];
  const interceptor: Interceptor = (next) => (request) => {
    seen.push(request.header.get("x-session-track"));
    return next(request);
  };
  return { interceptor, seen };
}

describe("our interceptor comes first", () => {
  const other = noting();
  const own = { interceptors: [other.interceptor] };
  const cases: [string, Partial<ConnectNodeAdapterOptions>, (router: ConnectRouter) => unknown][] = [
    ["of the adapter's", own, routesOf(ok)],
    ["of a service's own", {}, (router) => router.service(AccountService, ok, own)],
    ["of a method's own", {}, (router) => router.rpc(methods.changePassword, ok.changePassword, own)],
    [
      "in a chain",
      {},
      (router) =>
        router.rpc(methods.watchSessions, async function* () {}).rpc(methods.changePassword, ok.changePassword, own),
    ],
    [
      "if a service's own are undefined",
      {},
      (router) => router.service(AccountService, ok, { interceptors: undefined as never }),
    ],
    [
      "if a method's own are undefined",
      {},
      (router) => router.rpc(methods.changePassword, ok.changePassword, { interceptors: undefined as never }),
    ],
    ["if a service has frozen options", {}, (router) => router.service(AccountService, ok, Object.freeze({ ...own }))],
    ["if the router is frozen", {}, (router) => Object.freeze(router) && router.service(AccountService, ok)],
  ];

  it.each(cases)("%s", async (_, options, routes) => {
    other.seen.length = 0;
    const { tracking, events, warnings } = start();
    const server = await serve(tracking, { ...options, routes: (router) => void routes(router) });
    await accountClient(server).changePassword({}, { headers: marks() });
    await until(() => events.length === 1);
    expect(other.seen.every((track) => track === null)).toBe(true);
    expect([tracking.stats().interceptor.bypassed, warnings]).toEqual([0, []]);
  });

  it("in frozen options, which stay as they are", async () => {
    const { tracking, events } = start();
    const options = Object.freeze({ routes: routesOf(ok), interceptors: Object.freeze([]) as never });
    const server = await serve(tracking, options);
    await accountClient(server).changePassword({}, { headers: marks() });
    await until(() => events.length === 1);
    expect(Object.keys(options)).toEqual(["routes", "interceptors"]);
  });
});

describe("a call without session headers is passed over, and no other is for its sake", () => {
  it("not one that a handler makes with its own context values", async () => {
    const { tracking, events } = start();
    const inner = noting();
    const transport = createRouterTransport(routesOf(ok), {
      router: { interceptors: [tracking.interceptor, inner.interceptor] },
    });
    const changePassword = async (_: object, { values }: HandlerContext) => {
      await createClient(AccountService, transport).changePassword({}, { headers: marks(), contextValues: values });
      return {};
    };
    const server = await serve(tracking, { routes: routesOf({ changePassword }) });
    await accountClient(server).changePassword({});
    await until(() => events.length === 1);
    expect(inner.seen).toEqual([null]);
  });

  it("not a later one for which a service gives the same values", async () => {
    const { tracking, events } = start();
    const other = noting();
    const shared = createContextValues();
    const server = await serve(tracking, {
      routes: routesOf(ok),
      interceptors: [other.interceptor],
      contextValues: () => shared,
    });
    await accountClient(server).changePassword({});
    await accountClient(server).changePassword({}, { headers: marks() });
    await until(() => events.length === 1);
    expect(other.seen).toEqual([null, null]);
  });

  it.each(["x-session-track", "x-session-operation", "x-session-signature"])(
    "not one that has %s alone",
    async (name) => {
      const { tracking } = start();
      const seen: (string | null)[] = [];
      const changePassword = (_: object, { requestHeader }: HandlerContext) => {
        seen.push(requestHeader.get(name));
        return {};
      };
      const server = await serve(tracking, { routes: routesOf({ changePassword }) });
      await accountClient(server).changePassword({}, { headers: { [name]: "true" } });
      expect(seen).toEqual([null]);
    },
  );
});

describe("what is wired twice works once", () => {
  const cases: [string, (tracking: ReturnType<typeof start>["tracking"]) => ConnectNodeAdapterOptions][] = [
    ["the result again", (tracking) => tracking.adapterOptions<ConnectNodeAdapterOptions>({ routes: routesOf(ok) })],
    [
      "a copy of the result",
      (tracking) => ({ ...tracking.adapterOptions<ConnectNodeAdapterOptions>({ routes: routesOf(ok) }) }),
    ],
    [
      "the interceptor by hand",
      ({ interceptor }) => ({ routes: routesOf(ok), interceptors: [noting().interceptor, interceptor] }),
    ],
    [
      "contextValues by hand",
      ({ interceptor }) => ({ routes: routesOf(ok), contextValues: interceptor.contextValues }),
    ],
    [
      "the interceptor by hand for a service",
      ({ interceptor }) => ({
        routes: (router) =>
          void router.service(AccountService, ok, { interceptors: [noting().interceptor, interceptor] }),
      }),
    ],
  ];

  it.each(cases)("%s", async (_, optionsOf) => {
    const { tracking, events, warnings } = start();
    const server = await serve(tracking, optionsOf(tracking));
    await accountClient(server).changePassword({}, { headers: marks() });
    await until(() => events.length === 1);
    expect(events.map(({ status }) => status)).toEqual(["OK"]);
    expect(tracking.stats().interceptor).toMatchObject({ tracked: 1, bypassed: 0 });
    expect(warnings).toEqual([]);
  });

  it("the same options for two adapters", async () => {
    const { tracking, events } = start();
    const options: ConnectNodeAdapterOptions = { routes: routesOf(ok) };
    for (const server of [await serve(tracking, options), await serve(tracking, options)])
      await accountClient(server).changePassword({}, { headers: marks() });
    await until(() => events.length === 2);
    expect(Object.keys(options)).toEqual(["routes"]);
  });

  it("two tracking objects on one adapter: the first has the event, and the second says so", async () => {
    const [outer, inner] = [start(), start()];
    const server = await serve(
      outer.tracking,
      inner.tracking.adapterOptions<ConnectNodeAdapterOptions>({ routes: routesOf(ok) }),
    );
    await accountClient(server).changePassword({}, { headers: marks() });
    await until(() => outer.events.length === 1);
    expect(inner.events).toEqual([]);
    expect(inner.warnings).toContainEqual(expect.stringContaining("registered twice"));
  });
});

it("an interceptor forgotten on a watched server is told, with the path of the call", async () => {
  const { tracking, warnings } = start();
  const server = await listenOn(tracking.watch(createServer(connectNodeAdapter({ routes: routesOf(ok) }))));
  await accountClient(server, "connect", "1.1").changePassword({}, { headers: marks() });
  await until(() => warnings.length > 0);
  expect(warnings).toEqual([expect.stringContaining("a marked call came to a server without the interceptor")]);
});

it("the interceptor lost by options on top is told", async () => {
  const { tracking, events, warnings } = start();
  const options = tracking.adapterOptions<ConnectNodeAdapterOptions>({ routes: routesOf(ok) });
  const handler = connectNodeAdapter({ ...options, interceptors: [noting().interceptor] });
  const server = await listenOn(tracking.watch(createServer(handler)));
  await accountClient(server, "connect", "1.1").changePassword({}, { headers: marks() });
  await until(() => tracking.stats().interceptor.bypassed === 1);
  expect([warnings, events]).toEqual([[expect.stringContaining("a marked call never reached the interceptor")], []]);
});

describe("contextValues of the user", () => {
  const key = createContextKey("nothing");

  it("reach the handler, and are called as a method of the options", async () => {
    const { tracking, events } = start();
    const seen: string[] = [];
    const changePassword = (_: unknown, { values }: HandlerContext): object => {
      seen.push(values.get(key));
      return {};
    };
    const options: ConnectNodeAdapterOptions = {
      routes: routesOf({ changePassword }),
      requestPathPrefix: "",
      contextValues(request) {
        return createContextValues().set(key, `${request.method} ${this.requestPathPrefix === ""}`);
      },
    };
    const server = await serve(tracking, options);
    await accountClient(server).changePassword({}, { headers: marks() });
    await until(() => events.length === 1);
    expect(seen).toEqual(["POST true"]);
    expect(tracking.stats().interceptor.bypassed).toBe(0);
  });

  it("throw as they do without us", () => {
    const { tracking } = start();
    const options = tracking.adapterOptions<ConnectNodeAdapterOptions>({
      routes: routesOf(ok),
      contextValues() {
        throw new Error("no session store");
      },
    });
    expect(() => options.contextValues?.({ headers: marks() } as never)).toThrow("no session store");
  });

  it("may replace ours afterwards: then statuses come from signals", async () => {
    const { tracking, events } = start();
    const options = tracking.adapterOptions<ConnectNodeAdapterOptions>({
      routes: routesOf({ changePassword: (_, context) => untilAborted(context) }),
    });
    const server = await serve(tracking, options);
    server.server.removeAllListeners("request");
    server.server.on(
      "request",
      connectNodeAdapter({ ...options, contextValues: () => createContextValues() }) as never,
    );
    const call = accountClient(server).changePassword({}, { headers: marks() });
    const code = expect(call).rejects.toMatchObject({ code: Code.Unavailable });
    await until(() => tracking.stats().interceptor.open === 1);
    await tracking.shutDown({ graceMs: 50 });
    await code;
    expect(events.map(({ status, handlerStatus }) => [status, handlerStatus])).toEqual([["UNAVAILABLE", ""]]);
  });
});

describe("shutdownSignal of the user", () => {
  const reason = new ConnectError("maintenance", Code.ResourceExhausted);
  const implementation = {
    changePassword: (_: unknown, context: HandlerContext) => untilAborted(context),
    async *watchSessions(_: unknown, context: HandlerContext) {
      yield {};
      await untilAborted(context);
    },
  };

  async function readAll(messages: AsyncIterable<unknown>): Promise<void> {
    for await (const message of messages) void message;
  }

  it.each(["the adapter", "startSessionTracking", "the service"])(
    "given to %s reaches calls and streams, with its reason",
    async (where) => {
      const controller = new AbortController();
      const shutdownSignal = controller.signal;
      const { tracking, events } = start(where === "startSessionTracking" ? { shutdownSignal } : {});
      const server = await serve(tracking, {
        ...(where === "the adapter" && { shutdownSignal }),
        routes: (router) =>
          void router.service(AccountService, implementation, where === "the service" ? { shutdownSignal } : undefined),
      });
      const client = accountClient(server);
      const calls = [
        client.changePassword({}, { headers: marks() }),
        readAll(client.watchSessions({}, { headers: marks() })),
      ];
      const ends = Promise.allSettled(calls);
      await until(() => tracking.stats().interceptor.open === 2);
      controller.abort(reason);
      for (const end of await ends) expect(end).toMatchObject({ reason: { code: Code.ResourceExhausted } });
      await until(() => events.length === 2);
      expect(events.map(({ status, handlerStatus }) => [status, handlerStatus])).toEqual(
        [0, 1].map(() => ["RESOURCE_EXHAUSTED", ""]),
      );
      expect(getEventListeners(shutdownSignal, "abort").length).toBeLessThan(10);
    },
  );

  it("already aborted reaches calls and streams", async () => {
    const { tracking } = start();
    const server = await serve(tracking, {
      routes: routesOf(implementation),
      shutdownSignal: AbortSignal.abort(reason),
    });
    await expect(accountClient(server).changePassword({}, { headers: marks() })).rejects.toMatchObject({
      code: Code.ResourceExhausted,
    });
    await expect(readAll(accountClient(server).watchSessions({}))).rejects.toMatchObject({
      code: Code.ResourceExhausted,
    });
  });

  it("ends the calls of the adapters that it was given to, and no others", async () => {
    const [shared, other] = [new AbortController(), new AbortController()];
    const { tracking } = start();
    const routes = routesOf(implementation);
    const signals = [shared.signal, shared.signal, other.signal];
    const servers = await Promise.all(signals.map((shutdownSignal) => serve(tracking, { routes, shutdownSignal })));
    const ends: (Code | undefined)[] = [];
    for (const server of servers)
      accountClient(server)
        .changePassword({}, { headers: marks() })
        .catch((error: unknown) => ends.push(ConnectError.from(error).code));
    await until(() => tracking.stats().interceptor.open === 3);
    shared.abort(reason);
    await until(() => ends.length === 2);
    expect(tracking.stats().interceptor.open).toBe(1);
    await tracking.shutDown({ graceMs: 0 });
    await until(() => ends.length === 3);
    expect(ends).toEqual([Code.ResourceExhausted, Code.ResourceExhausted, Code.Unavailable]);
  });
});

describe("routes", () => {
  it("that are a method of the options are called as one", () => {
    const { tracking } = start();
    const options = tracking.adapterOptions({
      grpc: false,
      routes() {
        expect((this as { grpc?: boolean }).grpc).toBe(false);
      },
    });
    expect.assertions(1);
    options.routes({ service() {}, rpc() {} } as never);
  });

  it("throw as they do without us", async () => {
    const { tracking } = start();
    const routes = (): void => {
      throw new Error("no database");
    };
    await expect(serve(tracking, { routes })).rejects.toThrow("no database");
  });

  it("may be async, as far as Connect allows", async () => {
    const { tracking, events } = start();
    const routes = async (router: ConnectRouter): Promise<void> => {
      router.service(AccountService, ok);
      await Promise.resolve();
    };
    // oxlint-disable-next-line typescript/no-misused-promises -- that it is one is what is asked here
    const server = await serve(tracking, { routes });
    await accountClient(server).changePassword({}, { headers: marks() });
    await until(() => events.length === 1);
  });

  it("may register a service twice: the last one counts, as without us", async () => {
    const { tracking } = start();
    const server = await serve(tracking, {
      routes: (router) =>
        router.service(AccountService, ok).service(AccountService, { changePassword: () => ({ revision: 2 }) }),
    });
    expect((await accountClient(server).changePassword({})).revision).toBe(2);
  });

  it("leave methods that are missing unimplemented, and protocols that are off off", async () => {
    const { tracking } = start();
    const server = await serve(tracking, {
      routes: routesOf({
        async *watchSessions() {
          yield {};
        },
      }),
      grpc: false,
    });
    const read = async (protocol: "connect" | "grpc", method: "watchSessions" | "syncDevices"): Promise<number> => {
      let count = 0;
      const client = accountClient(server, protocol);
      const none = (async function* () {})();
      for await (const _ of method === "watchSessions" ? client.watchSessions({}) : client.syncDevices(none))
        count += 1;
      return count;
    };
    expect(await read("connect", "watchSessions")).toBe(1);
    await expect(read("connect", "syncDevices")).rejects.toMatchObject({ code: Code.Unimplemented });
    await expect(read("grpc", "watchSessions")).rejects.toThrow("415");
    await expect(accountClient(server).login({})).rejects.toMatchObject({ code: Code.Unimplemented });
  });
});

it.each([undefined, null, "routes", (): void => {}])("%s is refused as options", (given) => {
  const { tracking } = start();
  expect(() => tracking.adapterOptions(given as never)).toThrow(
    "the argument of adapterOptions must be an object with options",
  );
});

it("options have the types of their adapter, and a typo does not compile", () => {
  const { tracking } = start();
  type NodeServerRequest = Parameters<NonNullable<ConnectNodeAdapterOptions["contextValues"]>>[0];
  const routes = routesOf(ok);
  connectNodeAdapter(
    tracking.adapterOptions({
      routes,
      contextValues(request) {
        expectTypeOf(request).toEqualTypeOf<NodeServerRequest>();
        return createContextValues();
      },
    }),
  );
  // @ts-expect-error
  connectNodeAdapter(tracking.adapterOptions({ routes, interceptor: [] }));
  // @ts-expect-error
  expect(() => connectNodeAdapter(tracking.adapterOptions({}))).toThrow();
  // @ts-expect-error
  tracking.adapterOptions({ routes, interceptor: [] });
  // @ts-expect-error
  tracking.adapterOptions<ConnectNodeAdapterOptions>({ routes, shutdownTimeoutMs: 5 });
  // What is written elsewhere has the options of all adapters.
  const options = tracking.adapterOptions({ routes, grpc: false, requestPathPrefix: "/api", shutdownTimeoutMs: 5 });
  connectNodeAdapter(options);
  const given: ConnectNodeAdapterOptions = { routes };
  expectTypeOf(tracking.adapterOptions<ConnectNodeAdapterOptions>(given)).toEqualTypeOf<ConnectNodeAdapterOptions>();
  connectNodeAdapter(tracking.adapterOptions(given));
});

/** Those who listen for the abort of a signal, from here on. */
function countListeners(signal: AbortSignal): ReadonlySet<unknown> {
  const listening = new Set<unknown>();
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: readonly unknown[]) => {
    listening.add(args[1]);
    Reflect.apply(addEventListener, signal, args);
  };
  signal.removeEventListener = (...args: readonly unknown[]) => {
    listening.delete(args[1]);
    Reflect.apply(removeEventListener, signal, args);
  };
  return listening;
}

it("100,000 calls leave no listeners behind, and Node warns of none", { timeout: 120_000 }, async () => {
  const { tracking } = start();
  const warned = vi.fn();
  process.on("warning", warned);
  onTestFinished(() => void process.off("warning", warned));
  const { opened, open } = gate();
  let waiting = 0;
  const options = tracking.adapterOptions<ConnectNodeAdapterOptions>({
    routes: routesOf({
      login: () => ({}),
      async changePassword() {
        waiting += 1;
        await opened;
        return {};
      },
    }),
  });
  const listeners = countListeners(options.shutdownSignal!);
  const client = createClient(AccountService, createRouterTransport(options.routes, { router: options }));
  const calls = Array.from({ length: 500 }, () => client.changePassword({}));
  await until(() => waiting === 500);
  expect(listeners.size).toBe(500);
  open();
  await Promise.all(calls);
  for (let round = 0; round < 1_000; round += 1) await Promise.all(Array.from({ length: 100 }, () => client.login({})));
  expect(listeners.size).toBe(0);
  expect(getEventListeners(options.shutdownSignal!, "abort")).toHaveLength(1);
  await pause(20);
  expect(warned).not.toHaveBeenCalled();
});
