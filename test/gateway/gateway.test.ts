import { create, type DescMethod } from "@bufbuild/protobuf";
import { createClient, type HandlerContext, type Interceptor } from "@connectrpc/connect";
import { afterEach, describe, expect, it, vi } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import {
  createSessionGatewayInterceptor,
  decodeSessionContext,
  SessionContextSchema,
  type SessionGatewayOptions,
  sessionHeaders,
} from "../../src/index.js";
import { startAccountServer } from "../support/account-server.js";
import { protocols, transportTo } from "../support/transport.js";
import { shortenPatience } from "../support/wait-limits.js";

const { login, changePassword, importDevices, watchSessions, syncDevices } = AccountService.method;
const operations = new Map<DescMethod, string>([
  [changePassword, "change_password"],
  [importDevices, "import_devices"],
  [watchSessions, "watch_sessions"],
  [syncDevices, "sync_devices"],
]);
const forged = {
  "x-session-track": "true",
  "X-Session-Context": "forged",
  "x-session-operation": "forged",
  "x-session-signature": "forged",
  "x-session-id": "of another application",
};

type Received = Record<"track" | "context" | "operation" | "signature", string | null> & { other: string | null };

/** Starts a service, and makes calls to it through a gateway. */
async function startGateway(options: Partial<SessionGatewayOptions>, before: Interceptor[] = []) {
  const received: Received[] = [];
  const note = ({ requestHeader }: HandlerContext): object => {
    const entries = Object.entries(sessionHeaders).map(([key, name]) => [key, requestHeader.get(name)]);
    received.push({ ...Object.fromEntries(entries), other: requestHeader.get("x-session-id") });
    return {};
  };
  const server = await startAccountServer({
    login: (_, context) => note(context),
    getProfile: (_, context) => note(context),
    changePassword: (_, context) => note(context),
    importDevices: async (_, context) => note(context),
    async *watchSessions(_, context) {
      yield note(context);
    },
    async *syncDevices(_, context) {
      yield note(context);
    },
  });
  const gateway = createSessionGatewayInterceptor({ session: () => "c2Vzc2lvbg", operations, log: false, ...options });
  const client = (protocol: (typeof protocols)[number] = "connect") =>
    createClient(AccountService, transportTo(server.baseUrl, [...before, gateway], protocol));
  return { gateway, client, received };
}

afterEach(() => {
  vi.restoreAllMocks();
});

function* pairsOf(method: DescMethod, label: string): Generator<[DescMethod, string]> {
  yield [method, label];
}

async function* oneDevice() {
  yield { deviceId: "phone" };
}

describe("createSessionGatewayInterceptor", () => {
  it.each(protocols)("marks calls of every kind: %s", async (protocol) => {
    const { client, received, gateway } = await startGateway({});
    const account = client(protocol);
    await account.changePassword({});
    await account.importDevices(oneDevice());
    for await (const _ of account.watchSessions({})) {
      // Read to the end.
    }
    for await (const _ of account.syncDevices(oneDevice())) {
      // Read to the end.
    }
    const mark = { track: "true", context: "c2Vzc2lvbg", signature: null, other: null };
    expect(received).toEqual([...operations.values()].map((operation) => ({ ...mark, operation })));
    expect(gateway.stats()).toEqual({ marked: 4, unsigned: 0, stalled: 0, unmarked: {} });
  });

  it("deletes what the application forwarded, on chosen calls and on others", async () => {
    const { client, received } = await startGateway({});
    await client().getProfile({}, { headers: forged });
    await client().changePassword({}, { headers: forged });
    const other = "of another application";
    expect(received).toEqual([
      { track: null, context: null, operation: null, signature: null, other },
      { track: "true", context: "c2Vzc2lvbg", operation: "change_password", signature: null, other },
    ]);
  });

  it("deletes what interceptors before it set, and shows `session` none of it", async () => {
    const forward: Interceptor = (next) => (call) => {
      for (const [name, value] of Object.entries(forged)) call.header.set(name, value);
      return next(call);
    };
    const session = vi.fn<SessionGatewayOptions["session"]>(({ header }) => {
      expect(Object.values(sessionHeaders).filter((name) => header.has(name))).toEqual([]);
      return undefined;
    });
    const { client, received, gateway } = await startGateway({ session }, [forward]);
    await client().changePassword({});
    await client().getProfile({});
    expect(received.map(({ context }) => context)).toEqual([null, null]);
    expect(session).toHaveBeenCalledTimes(1);
    expect(gateway.stats()).toEqual({ marked: 0, unsigned: 0, stalled: 0, unmarked: { no_session: 1 } });
  });

  it("encodes a typed session context", async () => {
    const session = { sessionId: "s-1", userAgent: "x".repeat(5_000) };
    const { client, received } = await startGateway({ session: () => session });
    await client().changePassword({});
    expect(decodeSessionContext(received[0]?.context ?? "")).toEqual(
      create(SessionContextSchema, { sessionId: "s-1", userAgent: "x".repeat(512) }),
    );
  });

  it.each([
    ["empty", "", "context_invalid"],
    ["CR and LF", "secret\r\nx-session-track: true", "context_invalid"],
    ["not ASCII", "sécret", "context_invalid"],
    ["a space at the end", "secret ", "context_invalid"],
    ["too large", `secret${"x".repeat(8_192)}`, "context_too_large"],
    ["typed, too large", { sessionId: `secret${"x".repeat(8_192)}` }, "context_too_large"],
    ["typed, nothing set", {}, "context_invalid"],
    ["no context at all", JSON.parse("4711"), "context_invalid"],
    ["a promise", Promise.resolve("secret"), "context_invalid"],
  ])(
    "sends a call whose context no header can carry without a mark, and says so once: %s",
    async (_, given, reason) => {
      const warn = vi.fn();
      const log = { debug() {}, info() {}, warn, error() {} };
      const { client, received, gateway } = await startGateway({ session: () => given as string, log });
      await client().changePassword({});
      await client().changePassword({});
      const nothing = { track: null, context: null, operation: null, signature: null, other: null };
      expect(received).toEqual([nothing, nothing]);
      expect(gateway.stats()).toEqual({ marked: 0, unsigned: 0, stalled: 0, unmarked: { [reason]: 2 } });
      expect(warn).toHaveBeenCalledTimes(1);
      expect(JSON.stringify(warn.mock.calls)).not.toMatch(/secret|4711/);
    },
  );

  it("survives a `session` that is async and rejects, against its type", async () => {
    const session = (): string => Promise.reject(new Error("secret")) as unknown as string;
    const { client, gateway } = await startGateway({ session });
    await client().changePassword({});
    expect(gateway.stats().unmarked).toEqual({ context_invalid: 1 });
  });

  it("survives a `session` that throws, and does not log what it threw", async () => {
    const warn = vi.fn();
    const session = (): never => {
      throw new Error("secret");
    };
    const { client, gateway } = await startGateway({
      session,
      log: { debug() {}, info() {}, warn, error() {} },
    });
    await client().changePassword({});
    expect(gateway.stats().unmarked).toEqual({ session_error: 1 });
    expect(JSON.stringify(warn.mock.calls)).not.toContain("secret");
  });

  it("sends the signature, and the mark without one where it cannot be made", async () => {
    shortenPatience();
    const sign = vi
      .fn()
      .mockResolvedValueOnce("a.b.c")
      .mockRejectedValueOnce(new Error("no key"))
      .mockResolvedValueOnce("no\r\nheader")
      .mockResolvedValueOnce(undefined)
      .mockResolvedValueOnce(`a.${"b".repeat(20_000)}.c`)
      .mockImplementationOnce(() => {
        throw new Error("no key");
      })
      .mockReturnValueOnce(new Promise(() => {}));
    const kinds: unknown[] = [];
    const warn = (details: object): void => void kinds.push(Reflect.get(details, "kind"));
    const log = { debug() {}, info() {}, warn, error() {} };
    const { client, received, gateway } = await startGateway({ sign: { sign }, log });
    for (let i = 0; i < 7; i++) await client().changePassword({});
    expect(received.map(({ track, signature }) => [track, signature])).toEqual([
      ["true", "a.b.c"],
      ...Array.from({ length: 6 }, () => ["true", null]),
    ]);
    expect(gateway.stats()).toEqual({ marked: 7, unsigned: 6, stalled: 1, unmarked: {} });
    expect(kinds).toEqual(["unsigned", "signer_stalled"]);
    const procedure = "/example.account.v1.AccountService/ChangePassword";
    expect(sign).toHaveBeenCalledWith({ context: "c2Vzc2lvbg", operation: "change_password", procedure });
  });

  // That these compile, without a type argument where methods differ, is part of the test.
  const manyForms: [string, SessionGatewayOptions["operations"]][] = [
    [
      "an array of pairs",
      [
        [login, "login"],
        [changePassword, "change_password"],
        [watchSessions, "watch_sessions"],
      ],
    ],
    ["a Map", new Map([[login, "login"]])],
    ["the entries of a Map", new Map([[login, "login"]]).entries()],
    ["what a generator gives", pairsOf(login, "login")],
  ];
  it.each(manyForms)("takes its operations as %s", async (_, given) => {
    const { client, received } = await startGateway({ operations: given });
    await client().login({});
    await client().login({});
    expect(received.map(({ operation }) => operation)).toEqual(["login", "login"]);
  });

  type Session = ReturnType<SessionGatewayOptions["session"]>;
  const encodings: [string, (size: number) => Session][] = [
    ["a string", (size) => "x".repeat(size)],
    // One byte of tag and two of length before the text, and four thirds of all that in base64.
    ["a session context", (size) => ({ sessionId: "x".repeat((size * 3) / 4 - 3) })],
  ];
  it.each(encodings)("sends a larger context, if maxContextBytes allows it: %s", async (_, contextOf) => {
    const given = [contextOf(12_000), contextOf(12_004)];
    const session = (): Session => given.shift();
    const { client, received, gateway } = await startGateway({ session, maxContextBytes: 12_000 });
    await client().changePassword({});
    await client().changePassword({});
    expect(received.map(({ context }) => context?.length)).toEqual([12_000, undefined]);
    expect(gateway.stats()).toEqual({ marked: 1, unsigned: 0, stalled: 0, unmarked: { context_too_large: 1 } });
  });

  it("knows methods by their procedure, also from a second copy of the generated code", async () => {
    const copy = { ...login, parent: { ...AccountService } } as typeof login;
    const { client, received } = await startGateway({ operations: new Map([[copy, "login"]]) });
    await client().login({});
    expect(received[0]).toMatchObject({ track: "true", operation: "login" });
  });
});
