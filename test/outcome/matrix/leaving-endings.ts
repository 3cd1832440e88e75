import { setTimeout as sleep } from "node:timers/promises";
import { aborted, type ClientBehaviour, type Ending, readMaxBytes } from "./endings.js";
import { type Kind, reply } from "./kinds.js";

const kinds: readonly Kind[] = ["unary", "server_streaming"];
const deadlinesMs = [1, 5, 20, 50, 100, 500, 1_000, 2_500];
const cancelledDeadlinesMs = [100, 1_000, 2_500];
const cancelShares = [0.1, 0.5, 0.9, 0.95, 0.99];
const farMs = 60_000;

/** What a caller gives when it cancels. Connect's client sends another reset for those that are no cancellation to it. */
const reasons: readonly (readonly [string, unknown])[] = [
  ["without a reason", undefined],
  ["with an Error", new Error("the caller has changed its mind")],
  ["with a text", "the caller has changed its mind"],
];

/** How callers leave, at all distances from their deadlines. Every one of them may be judged wrong, but then it is flagged. */
export const leavingEndings: readonly Ending[] = [
  ...deadlinesMs.flatMap((timeoutMs) => onConnections(`deadline of ${timeoutMs} ms`, { timeoutMs })),
  ...cancelledDeadlinesMs.flatMap((timeoutMs) =>
    cancelShares.flatMap((share) =>
      onConnections(`cancel at ${share * 100} % of ${timeoutMs} ms`, { timeoutMs, cancelAtMs: timeoutMs * share }),
    ),
  ),
  ...reasons.flatMap(([name, reason]) => [
    leaving(`cancel ${name}, no deadline`, { cancelAtMs: 120, reason }),
    leaving(`cancel ${name}, far deadline`, { cancelAtMs: 120, timeoutMs: farMs, reason }),
    leaving(`cancel ${name}, half of a second`, { cancelAtMs: 500, timeoutMs: 1_000, reason }),
  ]),
  ...(["unreadable", "over the limit"] as const).flatMap((answer) => [
    refusing(`answer is ${answer}`, { answer }),
    refusing(`answer is ${answer}, far deadline`, { answer, timeoutMs: farMs }),
  ]),
];

function onConnections(name: string, client: ClientBehaviour): Ending[] {
  return [leaving(name, client), leaving(`${name}, new connection`, { ...client, cold: true })];
}

function leaving(name: string, client: ClientBehaviour): Ending {
  return {
    name,
    kinds,
    client,
    handlerStatus: ["CANCELLED", "same"],
    mayStayUnsent: true,
    async *handle({ signal }) {
      await aborted(signal);
      // At a deadline two clocks race for what the client sees: this gives the race to the client's.
      await sleep(60);
      signal.throwIfAborted();
      yield reply();
    },
  };
}

/** The client gives up because of what it gets. A stream has more to say, a single answer went out whole. */
function refusing(name: string, client: ClientBehaviour): Ending {
  return {
    name,
    kinds,
    client,
    status: ["OK", "CANCELLED"],
    handlerStatus: ["OK", "CANCELLED", "same"],
    async *handle({ signal }) {
      yield reply({ note: "x".repeat(2 * readMaxBytes) });
      await Promise.race([aborted(signal), sleep(200)]);
      signal.throwIfAborted();
    },
  };
}
