// Makes calls with connect-node, over its three protocols.
//
// `how` is what a cancelling caller gives as its reason: `abort` gives none, `abort-error` an Error, `abort-text` a text.
// `get` calls the one method that may be called by HTTP GET. `keep-sending` leaves the stream of requests open.
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { type CallOptions, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { AccountService } from "../../../gen/example/account/v1/account_pb.js";
import type { Case } from "../case.js";
import { runCases } from "./run-cases.js";

type Client = ReturnType<typeof createClient<typeof AccountService>>;

interface Connection {
  readonly client: Client;
  close(): void;
}

const reasons: Readonly<Record<string, unknown>> = {
  "abort-error": new Error("the caller has changed its mind"),
  "abort-text": "the caller has changed its mind",
};

const shared = new Map<string, Connection>();

await runCases(async (one) => {
  const connection = one.cold ? connect(one) : sharedConnection(one);
  try {
    await call(connection.client, one);
    return { code: 0 };
  } catch (error) {
    const { code, message } = ConnectError.from(error);
    return { code, message };
  } finally {
    if (one.cold) connection.close();
  }
});
for (const { close } of shared.values()) close();

function sharedConnection(one: Case): Connection {
  const key = JSON.stringify([one.target, one.http, one.protocol]);
  const open = shared.get(key) ?? connect(one);
  shared.set(key, open);
  return open;
}

function connect(one: Case): Connection {
  const baseUrl = `${one.tls ? "https" : "http"}://${one.target}`;
  if (one.http === "1.1") {
    const options = { keepAlive: true, rejectUnauthorized: false };
    const agent = one.tls ? new HttpsAgent(options) : new HttpAgent(options);
    return {
      client: clientOver(one, { baseUrl, httpVersion: "1.1", nodeOptions: { agent } }),
      close: () => agent.destroy(),
    };
  }
  const sessionManager = new Http2SessionManager(baseUrl, {}, { rejectUnauthorized: false });
  return {
    client: clientOver(one, { baseUrl, httpVersion: "2", sessionManager }),
    close: () => sessionManager.abort(),
  };
}

type TransportOptions = Parameters<typeof createGrpcTransport>[0] & Parameters<typeof createConnectTransport>[0];

function clientOver(one: Case, options: TransportOptions): Client {
  return createClient(AccountService, transport(one, options));
}

function transport({ protocol }: Case, options: TransportOptions): Transport {
  if (protocol === "grpc") return createGrpcTransport(options);
  if (protocol === "grpc-web") return createGrpcWebTransport(options);
  return createConnectTransport({ ...options, useHttpGet: true });
}

async function call(client: Client, one: Case): Promise<void> {
  const controller = new AbortController();
  const { signal } = controller;
  const { deadlineMs = 0, cancelAfterMs = 0, headers, kind, how } = one;
  const options: CallOptions = { headers: { ...headers }, signal, ...(deadlineMs > 0 && { timeoutMs: deadlineMs }) };
  const cancel = setTimeout(() => controller.abort(reasons[how]), cancelAfterMs || 2 ** 31 - 1);
  const over = new AbortController();
  const requests = send(how === "keep-sending", over.signal);
  try {
    if (kind === "unary") await (how === "get" ? client.getProfile({}, options) : client.changePassword({}, options));
    else if (kind === "client_streaming") await client.importDevices(requests, options);
    else if (kind === "server_streaming") await readAll(client.watchSessions({}, options));
    else await readAll(client.syncDevices(requests, options));
  } finally {
    clearTimeout(cancel);
    over.abort();
  }
}

async function* send(keepSending: boolean, over: AbortSignal): AsyncIterable<{ deviceId: string }> {
  yield { deviceId: "phone" };
  if (keepSending) await sleep(100_000, undefined, { signal: over }).catch(() => {});
}

async function readAll(messages: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of messages);
}
