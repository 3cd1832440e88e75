import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { type Kind, type Reply, reply } from "./kinds.js";

/** Long enough that a tenth of it, the slack of the deadline rule, covers the noise of a loaded machine. */
export const deadlineMs = 2_000;
export const cancelMs = 80;
/** What clients with a limit take in one message. */
export const readMaxBytes = 1_000;
/** What the server lets through in one message. */
export const writeMaxBytes = 100_000;
/** How long the interceptor under test waits for handlers that go on alone. */
export const settleTimeoutMs = 2_500;

/** How one call ends: what the handler does, what the client does, and what the handler's status must be. */
export interface Ending {
  readonly name: string;
  readonly kinds?: readonly Kind[];
  /** Only over these wires. */
  readonly wires?: RegExp;
  /** Runs in the handler. Methods with a single response answer with the last reply. */
  handle(context: HandlerContext, requests: AsyncIterable<unknown>): AsyncIterable<Reply>;
  readonly client?: ClientBehaviour;
  /** `same`: no handler_status of its own. One of several where the order is Connect's to choose. */
  readonly handlerStatus?: string | readonly string[] | ((kind: Kind) => string) | undefined;
  /**
   * What the event may say, if the client's code does not tell: the client itself makes an error of an answer that went out
   * whole.
   */
  readonly status?: readonly string[];
  /** The caller may leave before its request has come. Then there is no event. */
  readonly mayStayUnsent?: true;
  /** The server shuts down while the call runs. */
  readonly shutdown?: true;
}

export interface ClientBehaviour {
  readonly timeoutMs?: number;
  /** Counted from the moment that the handler has begun. */
  readonly cancelAfterMs?: number;
  /** Counted from the start of the call, as its caller does. */
  readonly cancelAtMs?: number;
  /** What the caller gives as the reason of its cancellation, if its library takes one. */
  readonly reason?: unknown;
  /** The call opens a connection of its own. */
  readonly cold?: true;
  /** The client takes the answer for another message, or for one that is over its limit. */
  readonly answer?: "unreadable" | "over the limit";
  /** The client's process seems to die: its connection is cut. No code exists to compare with, CANCELLED is expected. */
  readonly cutAfterMs?: number;
  /**
   * `first`: leaves the loop after one message. The client sees no error. What the server sees is the client's choice: see
   * `resetsWhenLeavingLoop`. `stall`: reads one message, and the next too late.
   */
  readonly read?: "first" | "stall";
  /** Leaves the request stream open until the call is over. */
  readonly keepSending?: true;
}

/** Neither binary nor JSON can hold it. */
const unserializable = reply({ revision: "one" as never });

const streamsOut: readonly Kind[] = ["server_streaming", "bidi_streaming"];
const streamsIn: readonly Kind[] = ["client_streaming", "bidi_streaming"];

const throwing = (name: string, thrown: () => unknown): Ending => ({
  name,
  // biome-ignore lint/correctness/useYield: it ends before its first message
  async *handle() {
    throw thrown();
  },
});

/** Resolves when the call is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/**
 * What a handler may do when its call is aborted.
 *
 * It takes a moment for it, or at a deadline two clocks race for what the client sees, and nobody can tell the winner.
 */
const reactions: readonly {
  name: string;
  handlerStatus: Ending["handlerStatus"];
  react(signal: AbortSignal): Promise<void>;
}[] = [
  { name: "handler ignores it", handlerStatus: ignored, react: (signal) => aborted(signal).then(() => sleep(60)) },
  {
    name: "handler obeys",
    handlerStatus: "CANCELLED",
    react: (signal) =>
      aborted(signal)
        .then(() => sleep(60))
        .then(() => signal.throwIfAborted()),
  },
  {
    name: "handler obeys with AbortError",
    handlerStatus: "CANCELLED",
    react: (signal) =>
      aborted(signal)
        .then(() => sleep(60))
        .then(() => sleep(1, undefined, { signal })),
  },
  {
    name: "handler ends with its own code",
    handlerStatus: "DATA_LOSS",
    react: (signal) =>
      aborted(signal)
        .then(() => sleep(60))
        .then(() => {
          throw new ConnectError("own", Code.DataLoss);
        }),
  },
  { name: "handler hangs", handlerStatus: "UNSETTLED", react: () => new Promise(() => {}) },
];

/** A handler that ignores the abort finishes all the same, but for a stream: Connect stops it at its next message. */
function ignored(kind: Kind): string {
  return streamsOut.includes(kind) ? "CANCELLED" : "OK";
}

function whenLeft(name: string, client: ClientBehaviour): Ending[] {
  return reactions.map(({ name: reaction, react, handlerStatus }) => ({
    name: `${name}, ${reaction}`,
    client,
    handlerStatus,
    async *handle(context) {
      await react(context.signal);
      yield reply();
    },
  }));
}

function endless(note: string, pauseMs: number): Ending["handle"] {
  return async function* () {
    for (;;) {
      yield reply({ note });
      await sleep(pauseMs);
    }
  };
}

export const endings: readonly Ending[] = [
  {
    name: "ok",
    async *handle() {
      yield reply();
    },
  },
  {
    name: "ok after a while",
    async *handle() {
      await sleep(40);
      yield reply();
    },
  },
  {
    name: "ok, all requests read",
    kinds: streamsIn,
    async *handle(_, requests) {
      for await (const _request of requests) yield reply();
    },
  },
  {
    name: "ok with a deadline that holds",
    client: { timeoutMs: 30_000 },
    async *handle() {
      yield reply();
    },
  },
  {
    name: "ok, client still sends",
    kinds: streamsIn,
    client: { keepSending: true },
    async *handle() {
      yield reply();
    },
  },
  {
    name: "error, client still sends",
    kinds: streamsIn,
    client: { keepSending: true },
    // biome-ignore lint/correctness/useYield: it ends before its first message
    async *handle() {
      throw new ConnectError("no", Code.PermissionDenied);
    },
  },
  ...codes().map((code) => throwing(`code ${Code[code]}`, () => new ConnectError("said", code))),
  throwing("plain error", () => new Error("broken")),
  throwing("TypeError", () => new TypeError("broken")),
  throwing("thrown string", () => "broken"),
  throwing("thrown undefined", () => undefined),
  throwing("thrown null", () => null),
  throwing("AbortError without an abort", () => new DOMException("stop", "AbortError")),
  throwing("TimeoutError without a deadline", () => new DOMException("late", "TimeoutError")),
  throwing("DeadlineExceeded of its own", () => new ConnectError("downstream was late", Code.DeadlineExceeded)),
  {
    ...throwing("code out of range", () => Object.assign(new ConnectError("odd"), { code: 77 })),
    // Connect's own gRPC clients read such a code as INTERNAL; gRPC says UNKNOWN, and so do all others.
    wires: /^connect|^grpc-js/,
  },
  {
    name: "error after messages",
    kinds: streamsOut,
    async *handle() {
      yield reply();
      yield reply();
      throw new ConnectError("no more", Code.FailedPrecondition);
    },
  },
  {
    name: "undefined thrown after messages",
    kinds: streamsOut,
    async *handle() {
      yield reply();
      throw undefined;
    },
  },
  {
    name: "response cannot be serialized",
    handlerStatus: ["OK", "CANCELLED"],
    async *handle() {
      yield unserializable;
    },
  },
  {
    name: "response over the size limit",
    handlerStatus: ["OK", "CANCELLED"],
    async *handle() {
      yield reply({ note: "x".repeat(writeMaxBytes + 1) });
    },
  },
  {
    name: "second response cannot be serialized, cleanup takes a while",
    kinds: streamsOut,
    handlerStatus: "CANCELLED",
    async *handle() {
      try {
        yield reply();
        yield unserializable;
      } finally {
        await sleep(50);
      }
    },
  },
  {
    name: "second response over the size limit",
    kinds: streamsOut,
    handlerStatus: "CANCELLED",
    async *handle() {
      yield reply();
      yield reply({ note: "x".repeat(writeMaxBytes + 1) });
    },
  },
  ...whenLeft("deadline", { timeoutMs: deadlineMs }),
  ...whenLeft("cancel", { cancelAfterMs: cancelMs }),
  ...whenLeft("cancel before a far deadline", { cancelAfterMs: cancelMs, timeoutMs: 30_000 }),
  ...whenLeft("cut", { cutAfterMs: cancelMs }),
  ...whenLeft("cancel while the client still sends", { cancelAfterMs: cancelMs, keepSending: true }).map((ending) => ({
    ...ending,
    kinds: streamsIn,
  })),
  {
    name: "cancel while the handler reads",
    kinds: streamsIn,
    client: { cancelAfterMs: cancelMs, keepSending: true },
    // The stream of requests ends normally or with an error, as the protocol and Node's version have it.
    handlerStatus: ["OK", "CANCELLED", "ABORTED", "INTERNAL", "INVALID_ARGUMENT", "same"],
    async *handle(_, requests) {
      for await (const _request of requests) yield reply();
    },
  },
  {
    name: "cancel while messages flow",
    kinds: streamsOut,
    client: { cancelAfterMs: cancelMs },
    handlerStatus: "same",
    handle: endless("tick", 5),
  },
  {
    name: "cut while messages flow",
    kinds: streamsOut,
    client: { cutAfterMs: cancelMs },
    handlerStatus: "same",
    handle: endless("tick", 5),
  },
  {
    name: "deadline while messages flow",
    kinds: streamsOut,
    client: { timeoutMs: deadlineMs },
    handlerStatus: "CANCELLED",
    handle: endless("tick", 5),
  },
  {
    name: "client never reads on, deadline",
    kinds: streamsOut,
    client: { read: "stall", timeoutMs: deadlineMs },
    // On Node 20 a handler that waits for such a client is never told.
    handlerStatus: ["CANCELLED", "UNSETTLED"],
    handle: endless("x".repeat(writeMaxBytes - 100), 0),
  },
  {
    // Until Connect 2.2, the client lets the stream run to its end. From 2.3 on, it resets the stream.
    name: "client leaves its loop",
    kinds: streamsOut,
    client: { read: "first" },
    async *handle() {
      for (let i = 0; i < 5; i++) {
        yield reply();
        await sleep(cancelMs / 2);
      }
    },
  },
  ...reactions
    .filter(({ name }) => name !== "handler hangs")
    .map(
      ({ name, react }): Ending => ({
        name: `shutdown, ${name}`,
        shutdown: true,
        async *handle(context) {
          await react(context.signal);
          yield reply();
        },
      }),
    ),
];

function codes(): Code[] {
  return Object.values(Code).filter((code) => typeof code === "number");
}
