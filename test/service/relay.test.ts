import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, createClient, createRouterTransport, type Interceptor } from "@connectrpc/connect";
import { describe, expect, it, vi } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { NotificationService } from "../../gen/example/notification/v1/notification_pb.js";
import {
  createMemoryPublisher,
  createSessionActivityInterceptor,
  createSessionRelay,
  type SessionRelay,
  sessionContextKey,
  sessionHeaders,
} from "../../src/index.js";
import { marks, startAccountServer } from "../support/account-server.js";
import { refusalOf } from "../support/refusal.js";
import { protocols, transportTo } from "../support/transport.js";

interface Arrival {
  /** The caller's name, as the handler passed it in the message. */
  readonly text: string;
  readonly context: string | null;
  readonly marks: number;
}

/** A notification service that notes what arrives, and an account service whose handlers call it. */
async function startServices(relay: SessionRelay, order: (relay: Interceptor, tracking: Interceptor) => Interceptor[]) {
  const arrivals: Arrival[] = [];
  const downstream = await startAccountServer({}, {}, "2", (router) =>
    router.service(NotificationService, {
      notify({ text }, { requestHeader }) {
        const marksSeen = Object.values(sessionHeaders).filter(
          (name) => name !== sessionHeaders.context && requestHeader.has(name),
        );
        arrivals.push({ text, context: requestHeader.get(sessionHeaders.context), marks: marksSeen.length });
        return {};
      },
    }),
  );
  const notifications = createClient(NotificationService, transportTo(downstream.baseUrl, [relay.client]));
  const publisher = createMemoryPublisher();
  const tracking = createSessionActivityInterceptor({ service: "account-service", publisher, log: false });
  const server = await startAccountServer(handlers(notifications), {
    interceptors: order(relay.server, tracking),
    contextValues: tracking.contextValues,
  });
  return { server, arrivals, tracking, publisher, notifications };
}

/** Handlers of all kinds that call on, with pauses in between that let other calls run. */
function handlers(notifications: Client<typeof NotificationService>) {
  const pause = (): Promise<void> => sleep(Math.random() * 10);
  async function callOn(text: string): Promise<void> {
    await pause();
    await notifications.notify({ text });
  }
  return {
    async changePassword({ newPassword: text }: { newPassword: string }) {
      await Promise.all([callOn(text), callOn(text)]);
      await callOn(text);
      return {};
    },
    async importDevices(requests: AsyncIterable<{ deviceId: string }>) {
      for await (const { deviceId } of requests) await callOn(deviceId);
      return {};
    },
    async *watchSessions({ limit }: { limit: number }) {
      for (let i = 0; i < 3; i++) {
        await callOn(String(limit));
        yield {};
        await callOn(String(limit));
      }
    },
    async *syncDevices(requests: AsyncIterable<{ deviceId: string }>) {
      for await (const { deviceId } of requests) {
        await callOn(deviceId);
        yield {};
        await callOn(deviceId);
      }
    },
  };
}

/** Two messages, with a pause that lets other calls run. */
async function* devices(name: string) {
  yield { deviceId: name };
  await sleep(Math.random() * 10);
  yield { deviceId: name };
}

/** Makes a call of the kind that its number says. Resolves to how many downstream calls it made. */
async function callNumber(account: Client<typeof AccountService>, number: number): Promise<number> {
  const headers = marks(`context-${number}`, "operation");
  const name = String(number);
  switch (number % 4) {
    case 0:
      await account.changePassword({ newPassword: name }, { headers });
      return 3;
    case 1:
      await account.importDevices(devices(name), { headers });
      return 2;
    case 2:
      for await (const _ of account.watchSessions({ limit: number }, { headers })) await sleep(Math.random() * 5);
      return 6;
    default:
      for await (const _ of account.syncDevices(devices(name), { headers })) await sleep(Math.random() * 5);
      return 4;
  }
}

const after = (relay: Interceptor, tracking: Interceptor): Interceptor[] => [tracking, relay];
const before = (relay: Interceptor, tracking: Interceptor): Interceptor[] => [relay, tracking];
const without = (relay: Interceptor): Interceptor[] => [relay];

describe("createSessionRelay", () => {
  describe.each([
    ["after the session interceptor", after],
    ["before the session interceptor", before],
  ])("placed %s", (_, order) => {
    it.each(protocols)(
      "hands on the context of 200 concurrent calls of all kinds, never mixed: %s",
      async (protocol) => {
        const { server, arrivals, publisher, tracking } = await startServices(createSessionRelay(), order);
        const account = createClient(AccountService, transportTo(server.baseUrl, [], protocol));
        const made = await Promise.all(Array.from({ length: 200 }, (__, number) => callNumber(account, number)));
        await tracking.drain(5_000);
        expect(arrivals).toHaveLength(made.reduce((sum, count) => sum + count));
        expect(arrivals.filter(({ text, context }) => context !== `context-${text}`)).toEqual([]);
        expect(arrivals.filter((arrival) => arrival.marks > 0)).toEqual([]);
        expect(publisher.events).toHaveLength(200);
      },
    );
  });

  it("is needed: without a run for each step, streams lose their context or take another's", async () => {
    const store = new AsyncLocalStorage<string>();
    const naive: SessionRelay = {
      server: (next) => (call) => store.run(call.header.get(sessionHeaders.context) ?? "", () => next(call)),
      client: (next) => (call) => {
        call.header.set(sessionHeaders.context, store.getStore() ?? "lost");
        return next(call);
      },
    };
    const { server, arrivals } = await startServices(naive, after);
    const account = createClient(AccountService, transportTo(server.baseUrl));
    await Promise.all(Array.from({ length: 200 }, (__, number) => callNumber(account, number)));
    expect(arrivals.filter(({ text, context }) => context !== `context-${text}`).length).toBeGreaterThan(0);
  });

  it("works in a service that has no session interceptor, and hands on the context only", async () => {
    const { server, arrivals } = await startServices(createSessionRelay(), without);
    const account = createClient(AccountService, transportTo(server.baseUrl));
    await callNumber(account, 0);
    expect(arrivals).toEqual(Array.from({ length: 3 }, () => ({ text: "0", context: "context-0", marks: 0 })));
  });

  it.each([
    ["a context of 60 KB, by which a downstream service could refuse the call", "x".repeat(60_000)],
    ["a context that is not ASCII", "forg\xe9d"],
  ])("does not hand on %s, and says so once", async (_, context) => {
    const warn = vi.fn();
    const relay = createSessionRelay({ log: { debug() {}, info() {}, warn, error() {} } });
    const { server, arrivals } = await startServices(relay, without);
    const account = createClient(AccountService, transportTo(server.baseUrl));
    await account.changePassword({ newPassword: "0" }, { headers: marks(context) });
    expect(arrivals).toEqual(Array.from({ length: 3 }, () => ({ text: "0", context: null, marks: 0 })));
    expect(warn).toHaveBeenCalledTimes(1);
    expect(JSON.stringify(warn.mock.calls)).not.toContain(context);
  });

  it("takes the bound from its option, and refuses a wrong one", async () => {
    const { server, arrivals } = await startServices(createSessionRelay({ maxContextBytes: 60_000 }), without);
    const account = createClient(AccountService, transportTo(server.baseUrl));
    await account.changePassword({ newPassword: "0" }, { headers: marks("x".repeat(60_000)) });
    expect(arrivals.map(({ context }) => context?.length)).toEqual([60_000, 60_000, 60_000]);
    expect(refusalOf(() => createSessionRelay({ maxContextBytes: 0 }))).toMatchObject({
      message: "maxContextBytes must be a whole number of bytes from 1 to 2147483647, got 0",
      code: "ERR_OPTION_INVALID",
      option: "maxContextBytes",
    });
  });

  it("sends nothing where the call has no context, and outside of any handler", async () => {
    const { server, arrivals, notifications } = await startServices(createSessionRelay(), after);
    const account = createClient(AccountService, transportTo(server.baseUrl));
    await account.changePassword({ newPassword: "none" });
    await notifications.notify({ text: "outside" });
    expect(arrivals).toHaveLength(4);
    expect(arrivals.filter(({ context }) => context !== null)).toEqual([]);
  });

  it("leaves alone a context that the call brings itself, as behind a gateway interceptor", async () => {
    const relay = createSessionRelay();
    const own: Interceptor = (next) => (call) => {
      call.header.set(sessionHeaders.context, "own");
      return next(call);
    };
    const client: Interceptor = (next) => own(relay.client(next));
    const { server, arrivals } = await startServices({ ...relay, client }, after);
    await callNumber(createClient(AccountService, transportTo(server.baseUrl)), 0);
    expect(arrivals.map(({ context }) => context)).toEqual(["own", "own", "own"]);
  });

  it("hands on what the session interceptor left: nothing, where that took the context away", async () => {
    const { client, server } = createSessionRelay();
    const seen: (string | null)[] = [];
    const inner = createRouterTransport(
      (router) =>
        router.service(NotificationService, {
          notify(_, { requestHeader }) {
            seen.push(requestHeader.get(sessionHeaders.context));
            return {};
          },
        }),
      { transport: { interceptors: [client] } },
    );
    const takeAway: Interceptor = (next) => (call) => {
      call.header.delete(sessionHeaders.context);
      return next(call);
    };
    const replace: Interceptor = (next) => (call) => {
      call.contextValues.set(sessionContextKey, "replaced");
      return next(call);
    };
    for (const interceptor of [takeAway, replace]) {
      const outer = createRouterTransport(
        (router) =>
          router.service(AccountService, {
            async changePassword() {
              await createClient(NotificationService, inner).notify({});
              return {};
            },
          }),
        { router: { interceptors: [server, interceptor] } },
      );
      await createClient(AccountService, outer).changePassword({}, { headers: marks("given") });
    }
    expect(seen).toEqual([null, "replaced"]);
  });

  it("lets the errors of streams through, and tells them that the caller has left", async () => {
    const { server } = createSessionRelay();
    let closed = 0;
    const account = await startAccountServer(
      {
        async *watchSessions({ limit }) {
          try {
            for (let i = 0; i < limit; i++) yield {};
            await sleep(5);
            throw new Error("broken");
          } finally {
            closed += 1;
          }
        },
      },
      { interceptors: [server] },
    );
    const client = createClient(AccountService, transportTo(account.baseUrl));
    const read = async (): Promise<void> => {
      for await (const _ of client.watchSessions({ limit: 2 })) {
        // Read to the end.
      }
    };
    await expect(read()).rejects.toThrow("internal error");
    expect(closed).toBe(1);
  });
});
