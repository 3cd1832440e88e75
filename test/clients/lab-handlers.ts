import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { answerHeader, handlerHeader } from "./case.js";

/** How long a handler that does not obey at once goes on after the abort. */
const afterAbortMs = 100;
const tickMs = 40;

interface Reply {
  readonly revision: number;
  readonly note: string;
}

/** What a handler does until it ends. Methods with a single response answer with the last reply. */
type Behaviour = (context: HandlerContext, requests: AsyncIterable<unknown>) => AsyncIterable<Reply>;

const answer: Reply = { revision: 1, note: "" };

/** What a handler can be asked to do. */
export type HandlerName = "answer" | "obey" | "wait" | "ignore" | "stream" | "read" | "later";

const behaviours: Readonly<Record<HandlerName, Behaviour>> = {
  /** Answers at once. */
  async *answer() {
    yield answer;
  },
  /** Waits for the abort, and stops at once. */
  async *obey({ signal }) {
    await aborted(signal);
    signal.throwIfAborted();
    yield answer;
  },
  /** Waits for the abort, and stops a while later. */
  async *wait({ signal }) {
    await aborted(signal);
    await sleep(afterAbortMs);
    signal.throwIfAborted();
    yield answer;
  },
  /** Waits for the abort, and answers all the same, a while later. */
  async *ignore({ signal }) {
    await aborted(signal);
    await sleep(afterAbortMs);
    yield answer;
  },
  /** Sends messages until the abort. */
  async *stream({ signal }) {
    while (!signal.aborted) {
      yield answer;
      await sleep(tickMs);
    }
  },
  /** Answers after a while, whatever the caller does. */
  async *later({ requestHeader }) {
    await sleep(Number(requestHeader.get(answerHeader)));
    yield answer;
  },
  /** Reads requests to their end, then waits for the abort. */
  async *read({ signal }, requests) {
    for await (const _ of requests);
    await aborted(signal);
    await sleep(afterAbortMs);
    signal.throwIfAborted();
    yield answer;
  },
};

/** The account service, whose handlers do what the calls ask. */
export function labRoutes(router: ConnectRouter): void {
  const stream = (requests: AsyncIterable<unknown>, context: HandlerContext): AsyncIterable<Reply> =>
    behaviourOf(context)(context, requests);
  const single = async (requests: AsyncIterable<unknown>, context: HandlerContext): Promise<Reply> => {
    let last = answer;
    for await (const next of stream(requests, context)) last = next;
    return last;
  };
  router.service(AccountService, {
    changePassword: (_, context) => single(none(), context),
    async getProfile(_, context) {
      await single(none(), context);
      return { displayName: "" };
    },
    importDevices: single,
    watchSessions: (_, context) => stream(none(), context),
    syncDevices: stream,
  });
}

function behaviourOf(context: HandlerContext): Behaviour {
  const name = context.requestHeader.get(handlerHeader) ?? "wait";
  return (behaviours as Record<string, Behaviour>)[name] ?? behaviours.wait;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

async function* none(): AsyncIterable<unknown> {}
