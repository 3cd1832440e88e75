import { setTimeout as sleep } from "node:timers/promises";
import type { ContextValues, Interceptor } from "@connectrpc/connect";
import { type NodeRequest, type SessionActivityEvent, statusName } from "../../../src/index.js";
import { cancelMs, deadlineMs, type Ending, endings } from "./endings.js";
import type { Kind } from "./kinds.js";
import type { Wire } from "./matrix-clients.js";
import { startServer } from "./matrix-server.js";

/** An interceptor that is put to the test, and what it published. */
export interface Subject {
  readonly interceptor: Interceptor;
  readonly contextValues?: ((request: NodeRequest) => ContextValues) | undefined;
  /** Resolves when all events are there. */
  settle(): Promise<void>;
  readonly events: readonly Pick<SessionActivityEvent, "encodedSessionContext" | "status" | "handlerStatus">[];
}

export interface MatrixResult {
  readonly cases: number;
  /** Cases with more or less than one event. */
  readonly missing: string[];
  readonly doubled: string[];
  /** Cases whose event has another status than the client's code. */
  readonly wrongStatus: string[];
  readonly wrongHandlerStatus: string[];
}

interface Case {
  readonly id: string;
  readonly name: string;
  readonly kind: Kind;
  readonly ending: Ending;
  /** Resolves when the handler is entered. */
  readonly begun: Promise<void>;
  begin(): void;
  begunAt?: number;
  seen?: number;
}

/** How often a case with a deadline is tried, where its calls come to the server long after the client's clock has started. */
const attempts = 10;

/** Runs every ending over one wire, and compares each event with what the client saw. */
export async function runMatrix(wire: Wire, createSubject: (shutdown: AbortSignal) => Subject): Promise<MatrixResult> {
  const shutdown = new AbortController();
  const subject = createSubject(shutdown.signal);
  const cases = new Map<string, Case>();
  let created = 0;
  const add = (kind: Kind, ending: Ending): Case => {
    created += 1;
    let enter = (): void => {};
    const one: Case = {
      id: `case-${created}`,
      name: `${wire.name}, ${kind}: ${ending.name}`,
      kind,
      ending,
      begun: new Promise((resolve) => (enter = resolve)),
      begin() {
        one.begunAt = performance.now();
        enter();
      },
    };
    cases.set(one.id, one);
    return one;
  };
  for (const kind of wire.kinds) {
    for (const ending of endings) {
      if (ending.kinds && !ending.kinds.includes(kind)) continue;
      if (ending.wires && !ending.wires.test(wire.name)) continue;
      add(kind, ending);
    }
  }
  const server = await startServer({
    httpVersion: wire.httpVersion,
    interceptors: [subject.interceptor],
    contextValues: subject.contextValues,
    shutdown,
    endingOf(context) {
      const { ending, begin } = cases.get(context.requestHeader.get("x-case") ?? "")!;
      begin();
      return ending;
    },
  });
  const client = wire.connect(server.port);
  const call = async (one: Case, attempt = 1): Promise<void> => {
    const headers = { "x-session-track": "true", "x-session-context": one.id, "x-case": one.id };
    const calledAt = performance.now();
    const code = await client.call(one.kind, headers, one.ending.client ?? {}, one.begun);
    one.seen = one.ending.client?.cutAfterMs === undefined ? code : 1;
    // What took so long on its way looks like a cancellation, as the README says: it is not what is asked here.
    const isLate = (one.begunAt ?? Infinity) - calledAt >= deadlineMs / 10;
    if (one.ending.client?.timeoutMs !== deadlineMs || !isLate || attempt === attempts) return;
    cases.delete(one.id);
    await call(add(one.kind, one.ending), attempt + 1);
  };
  try {
    const all = [...cases.values()];
    await inPools(
      all.filter(({ ending }) => !ending.shutdown),
      call,
    );
    const interrupted = all.filter(({ ending }) => ending.shutdown).map((one) => call(one));
    await Promise.all(all.filter(({ ending }) => ending.shutdown).map(({ begun }) => begun));
    await sleep(cancelMs);
    server.shutDown();
    await Promise.all(interrupted);
    await subject.settle();
    return compare([...cases.values()], subject.events);
  } finally {
    client.close();
    await server.close();
  }
}

/** Some calls at a time: enough to be quick, few enough that timers keep their time. */
async function inPools(cases: Case[], call: (one: Case) => Promise<void>): Promise<void> {
  const queue = cases.values();
  await Promise.all(
    Array.from({ length: 24 }, async () => {
      for (const one of queue) await call(one);
    }),
  );
}

function compare(cases: Case[], events: Subject["events"]): MatrixResult {
  const result = {
    cases: cases.length,
    missing: [],
    doubled: [],
    wrongStatus: [],
    wrongHandlerStatus: [],
  } as MatrixResult;
  for (const { id, name, kind, seen, ending } of cases) {
    const [event, ...more] = events.filter(({ encodedSessionContext }) => encodedSessionContext === id);
    if (more.length > 0) result.doubled.push(name);
    if (event === undefined) {
      result.missing.push(name);
      continue;
    }
    const status = statusName(seen);
    if (event.status !== status)
      result.wrongStatus.push(`${name}: the client saw ${status}, the event says ${event.status}`);
    const expected = typeof ending.handlerStatus === "function" ? ending.handlerStatus(kind) : ending.handlerStatus;
    const allowed = [expected ?? "same"].flat().map((one) => (one === "same" || one === status ? "" : one));
    if (!allowed.includes(event.handlerStatus)) {
      result.wrongHandlerStatus.push(
        `${name}: expected ${allowed.join(" or ") || "the same"}, got ${event.handlerStatus || "the same"}`,
      );
    }
  }
  return result;
}
