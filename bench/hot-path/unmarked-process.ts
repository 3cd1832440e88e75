// Measures what the package adds to a call that no gateway marked: `node unmarked-process.js`.
//
// The two loops take turns every few milliseconds, since what is looked for is far below what a machine drifts by in a second.
import type { IncomingMessage } from "node:http";
import { type ContextValues, createContextValues, type Interceptor } from "@connectrpc/connect";
import { createMemoryPublisher, createSessionActivityInterceptor } from "connect-session-activity";
import { startSessionTracking } from "connect-session-activity/kafka";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { inTurn } from "../kit/comparison.js";
import { answerParent } from "../kit/peer-process.js";

/** Asks for one round of so many turns. */
export interface TurnsQuestion {
  readonly turns: number;
}

/** How a service is wired. */
const names = ["without", "by adapterOptions", "by adapterOptions, again", "by hand"] as const;
type UnmarkedName = (typeof names)[number];

/** The CPU time of a call, in microseconds of the main thread. */
type UnmarkedCost = Readonly<Record<UnmarkedName, number>>;

type Next = Parameters<Interceptor>[0];

const callsPerTurn = 2_000;
const [service, method] = [AccountService, AccountService.method.changePassword];
const headers = {
  "content-type": "application/grpc+proto",
  "user-agent": "bench/1",
  te: "trailers",
  "grpc-timeout": "5S",
  authorization: "Bearer token",
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
};
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the two properties that are read
const request = { headers, url: `/${service.typeName}/${method.name}` } as unknown as IncomingMessage;
const answer = Promise.resolve({ stream: false, service, method, header: new Headers(), trailer: new Headers() });
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- nothing looks at the message
const next = (() => answer) as unknown as Next;

/** What Connect does for a call around the package, with a handler that does nothing. */
async function runCalls(fn: Next, valuesOf: () => ContextValues): Promise<void> {
  for (let done = 0; done < callsPerTurn; done++) {
    const call = {
      stream: false,
      service,
      method,
      header: new Headers(headers),
      contextValues: valuesOf(),
      message: {},
    };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an unmarked call is asked for no more
    await fn(call as unknown as Parameters<Next>[0]);
  }
}

const byHand = createSessionActivityInterceptor({ service: "s", publisher: createMemoryPublisher(), log: false });
const tracking = startSessionTracking({ env: false, service: "s", log: false });
const { interceptors = [], contextValues } = tracking.adapterOptions({ routes() {} });
if (contextValues === undefined) throw new Error("adapterOptions gives no contextValues");
const throughWired = interceptors.reduceRight((inner, interceptor) => interceptor(inner), next);
const throughByHand = byHand(next);
const wired = (): Promise<void> => runCalls(throughWired, () => contextValues(request));
const loops: Readonly<Record<UnmarkedName, () => Promise<void>>> = {
  without: () => runCalls(next, createContextValues),
  "by adapterOptions": wired,
  "by adapterOptions, again": wired,
  "by hand": () => runCalls(throughByHand, () => byHand.contextValues(request)),
};

async function measure({ turns }: TurnsQuestion): Promise<UnmarkedCost> {
  const spent = { without: 0, "by adapterOptions": 0, "by adapterOptions, again": 0, "by hand": 0 };
  for (let turn = 0; turn < turns; turn++) {
    for (const name of inTurn(names, turn)) {
      const before = process.threadCpuUsage();
      await loops[name]();
      const { user, system } = process.threadCpuUsage(before);
      spent[name] += user + system;
    }
  }
  for (const name of names) spent[name] /= turns * callsPerTurn;
  return spent;
}

answerParent(measure);
