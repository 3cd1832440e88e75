// Measures what a shutdown signal adds to a call while many others are open: `node open-calls-process.js`.
import { setMaxListeners } from "node:events";
import { createHandlerContext } from "@connectrpc/connect";
import { startSessionTracking } from "connect-session-activity/kafka";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { inTurn } from "../kit/comparison.js";
import { answerParent } from "../kit/peer-process.js";
import type { TurnsQuestion } from "./unmarked-process.js";

const names = [
  "without",
  "Node's signal",
  "Node's signal, again",
  "the signal of adapterOptions",
  "the signal of adapterOptions, with no others open",
] as const;
type SignalName = (typeof names)[number];

/** The CPU time of a call's context, in microseconds of the main thread. */
type SignalCost = Readonly<Record<SignalName, number>>;

const callsPerTurn = 1_000;
const openCalls = 10_000;
/** So many calls overlap. What a signal keeps of one that has ended, each collection of the young generation copies. */
const callsAtOnce = 16;
const service = AccountService;
const method = service.method.watchSessions;
const ended = new Error("the call has ended");

type OpenCall = Pick<ReturnType<typeof createHandlerContext>, "abort" | "signal">;

/** What Connect makes for each call, and ends with it. */
function openCall(shutdownSignal: AbortSignal | undefined): OpenCall {
  return createHandlerContext({
    service,
    method,
    protocolName: "grpc",
    requestMethod: "POST",
    url: "http://localhost/",
    ...(shutdownSignal && { shutdownSignal }),
  });
}

const ofNode = AbortSignal.any([new AbortController().signal]);
setMaxListeners(0, ofNode);
const [busy, idle] = [adapterSignal(), adapterSignal()];
const signals: Readonly<Record<SignalName, AbortSignal | undefined>> = {
  without: undefined,
  "Node's signal": ofNode,
  "Node's signal, again": ofNode,
  "the signal of adapterOptions": busy,
  // A table of few listeners is outgrown often.
  "the signal of adapterOptions, with no others open": idle,
};
const open = [ofNode, busy].flatMap((signal) => Array.from({ length: openCalls }, () => openCall(signal)));

function adapterSignal(): AbortSignal {
  const tracking = startSessionTracking({ env: false, service: "s", log: false });
  const { shutdownSignal } = tracking.adapterOptions({ routes() {} });
  if (shutdownSignal === undefined) throw new Error("adapterOptions gives no signal");
  return shutdownSignal;
}

/** The same, with about as much hanging on it as on a call of a server. */
function openLadenCall(signal: AbortSignal | undefined): OpenCall {
  const call = openCall(signal);
  const load = Array.from({ length: 500 }, (_, place) => ({ place }));
  call.signal.addEventListener("abort", () => load.splice(0));
  return call;
}

function makeCalls(signal: AbortSignal | undefined): void {
  const calls: OpenCall[] = [];
  for (let done = 0; done < callsPerTurn; done++) {
    calls[done % callsAtOnce]?.abort(ended);
    calls[done % callsAtOnce] = openLadenCall(signal);
  }
  for (const call of calls) call.abort(ended);
}

function measure({ turns }: TurnsQuestion): SignalCost {
  const spent: Record<SignalName, number> = {
    without: 0,
    "Node's signal": 0,
    "Node's signal, again": 0,
    "the signal of adapterOptions": 0,
    "the signal of adapterOptions, with no others open": 0,
  };
  for (let turn = 0; turn < turns; turn++) {
    for (const name of inTurn(names, turn)) {
      const before = process.threadCpuUsage();
      makeCalls(signals[name]);
      const { user, system } = process.threadCpuUsage(before);
      spent[name] += user + system;
    }
  }
  for (const name of names) spent[name] /= turns * callsPerTurn;
  return spent;
}

answerParent(measure, () => {
  for (const call of open) call.abort(ended);
});
