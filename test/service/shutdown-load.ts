import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { type Client, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { statusName } from "../../src/index.js";

/** How a server listens. */
export const transports = ["http", "https", "h2c", "http2", "http2 with HTTP/1.1"] as const;
export type ServerTransport = (typeof transports)[number];

export type Kind = "unary" | "server streaming" | "client streaming" | "bidi";

/**
 * How a call ends when its service shuts down.
 *
 * - `soon`: the handler answers within the grace, or the caller ends its stream and is answered then
 * - `told`: the handler waits for its abort signal, and throws its reason
 * - `late`: the handler ignores the signal, and answers after the grace
 * - `never`: the handler never ends
 */
export type Ending = "soon" | "told" | "late" | "never";

/** A call, and what its caller saw. */
export interface LoadedCall {
  readonly id: string;
  readonly kind: Kind;
  readonly ending: Ending;
  readonly marked: boolean;
  /** The status that the caller received, when it did. */
  status: string | undefined;
  /** What the client made of it. */
  error: string | undefined;
  /** When that was, in milliseconds after the service was told. */
  endedAfterMs: number | undefined;
}

export interface Load {
  readonly calls: readonly LoadedCall[];
  /** Tells the callers that the service was told to shut down. */
  told(): void;
  /**
   * Resolves when all callers have seen an end, but for those that are cut: before 2.3, connect-node's client does not notice
   * the end of an HTTP/2 connection that it waits on for an answer.
   */
  readonly ended: Promise<unknown>;
  close(): void;
}

/** Opens that many calls of all kinds, half of them marked. */
export function openCalls(server: ServerTransport, port: number, count: number): Load {
  const http1 = server === "http" || server === "https" || server === "http2 with HTTP/1.1";
  const secure = server !== "http" && server !== "h2c";
  const baseUrl = `${secure ? "https" : "http"}://127.0.0.1:${port}`;
  const { clients, close } = http1 ? http1Clients(baseUrl) : http2Clients(baseUrl);
  let tell = (): void => {};
  let toldAt = 0;
  const told = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const variants = kinds.filter(({ kind }) => !http1 || kind !== "bidi");
  const calls = Array.from({ length: count }, (_, index): LoadedCall => {
    const { kind, ending } = variants[index % variants.length]!;
    const marked = Math.floor(index / variants.length) % 2 === 0;
    return { id: `call-${index}`, kind, ending, marked, status: undefined, error: undefined, endedAfterMs: undefined };
  });

  async function run(call: LoadedCall, client: Client<typeof AccountService>): Promise<void> {
    try {
      await perform(client, call, told);
      call.status = "OK";
    } catch (error) {
      call.status = statusName(ConnectError.from(error).code);
      call.error = String(error);
    }
    call.endedAfterMs = performance.now() - toldAt;
  }

  const runs = calls.map((call, index) => run(call, clients[index % clients.length]!));
  return {
    calls,
    told() {
      toldAt = performance.now();
      tell();
    },
    ended: Promise.all(runs.filter((_, index) => calls[index]!.ending !== "never")),
    close,
  };
}

const kinds: readonly { kind: Kind; ending: Ending }[] = [
  { kind: "unary", ending: "soon" },
  { kind: "unary", ending: "told" },
  { kind: "unary", ending: "late" },
  { kind: "unary", ending: "never" },
  { kind: "server streaming", ending: "soon" },
  { kind: "server streaming", ending: "told" },
  { kind: "server streaming", ending: "late" },
  { kind: "server streaming", ending: "never" },
  { kind: "client streaming", ending: "soon" },
  { kind: "client streaming", ending: "told" },
  { kind: "client streaming", ending: "never" },
  { kind: "bidi", ending: "soon" },
  { kind: "bidi", ending: "told" },
  { kind: "bidi", ending: "never" },
];

async function perform(
  client: Client<typeof AccountService>,
  { id, kind, ending, marked }: LoadedCall,
  told: Promise<void>,
): Promise<void> {
  const marks = { "x-session-track": "true", "x-session-context": id };
  const options = { headers: { "x-ending": ending, ...(marked && marks) } };
  async function* requests(): AsyncGenerator<{ deviceId: string }> {
    yield { deviceId: "1" };
    await told;
    await pause(1_000);
    yield { deviceId: "2" };
    // Who is told ends the call, and not this.
    if (ending === "told") await new Promise(() => {});
  }
  if (kind === "unary") await client.changePassword({}, options);
  if (kind === "client streaming") await client.importDevices(requests(), options);
  if (kind === "server streaming") await readAll(client.watchSessions({}, options));
  if (kind === "bidi") await readAll(client.syncDevices(requests(), options));
}

async function readAll(messages: AsyncIterable<unknown>): Promise<void> {
  for await (const message of messages) void message;
}

interface Clients {
  readonly clients: Client<typeof AccountService>[];
  close(): void;
}

function http1Clients(baseUrl: string): Clients {
  const agent = baseUrl.startsWith("https:")
    ? new HttpsAgent({ keepAlive: true, rejectUnauthorized: false })
    : new HttpAgent({ keepAlive: true });
  const options = { baseUrl, httpVersion: "1.1" as const, nodeOptions: { agent } };
  const made = [createConnectTransport(options), createGrpcWebTransport(options)];
  return { clients: made.map(clientOn), close: () => agent.destroy() };
}

function http2Clients(baseUrl: string): Clients {
  const managers = Array.from(
    { length: 6 },
    () => new Http2SessionManager(baseUrl, {}, baseUrl.startsWith("https:") ? { rejectUnauthorized: false } : {}),
  );
  const create = [createConnectTransport, createGrpcTransport, createGrpcWebTransport];
  const made = managers.map(
    (sessionManager, index): Transport => create[index % 3]!({ baseUrl, httpVersion: "2", sessionManager }),
  );
  const close = (): void => {
    for (const manager of managers) manager.abort();
  };
  return { clients: made.map(clientOn), close };
}

function clientOn(transport: Transport): Client<typeof AccountService> {
  return createClient(AccountService, transport);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
