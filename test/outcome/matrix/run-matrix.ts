import { setTimeout as sleep } from "node:timers/promises";
import type { ContextValues, Interceptor } from "@connectrpc/connect";
import { type NodeRequest, type SessionActivityEvent, statusName } from "../../../src/index.js";
import { groupBy } from "../../support/group-by.js";
import { endings as allEndings, cancelMs, type Ending } from "./endings.js";
import type { Kind } from "./kinds.js";
import type { Wire } from "./matrix-clients.js";
import { type MatrixServer, startServer } from "./matrix-server.js";

/** An interceptor that is put to the test, and what it published. */
export interface Subject {
  readonly interceptor: Interceptor;
  readonly contextValues?: ((request: NodeRequest) => ContextValues) | undefined;
  readonly watch?: ((server: MatrixServer) => void) | undefined;
  /** Resolves when all events are there. */
  settle(): Promise<void>;
  readonly events: readonly MatrixEvent[];
}

/** What is compared of an event. */
export type MatrixEvent = Pick<SessionActivityEvent, "encodedSessionContext" | "status" | "handlerStatus"> &
  Partial<Pick<SessionActivityEvent, "statusInferred" | "duration" | "timeout">>;

export interface MatrixResult {
  readonly cases: number;
  /** Cases with more or less than one event. */
  readonly missing: string[];
  readonly doubled: string[];
  /** Cases whose event has another status than the client's code, without the flag. */
  readonly wrongStatus: string[];
  /** The same, with the flag. */
  readonly flaggedWrongStatus: string[];
  /** What is known of the callers that left. */
  readonly leavings: Leavings;
  readonly wrongHandlerStatus: string[];
}

/** Callers that left, at a deadline or by cancelling, and how often they were taken for the other. */
export interface Leavings {
  all: number;
  flagged: number;
  wrongDeadlines: Wrong;
  wrongCancellations: Wrong;
  /** Cases in which the client's code tells nothing, or no request came. */
  notCompared: number;
}

interface Wrong {
  flagged: number;
  unflagged: number;
  /** By the rule of old: the deadline is 25 ms or a tenth of it away. */
  byFormerRule: number;
}

interface Case {
  readonly id: string;
  readonly name: string;
  readonly kind: Kind;
  readonly ending: Ending;
  /** Resolves when the handler is entered. */
  readonly begun: Promise<void>;
  begin(): void;
  hasBegun?: true;
  seen?: number;
}

/** Runs all endings over one wire, and compares each event with what the client saw. */
export async function runMatrix(
  wire: Wire,
  createSubject: (shutdown: AbortSignal) => Subject,
  endings: readonly Ending[] = allEndings,
): Promise<MatrixResult> {
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
        one.hasBegun = true;
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
    tls: wire.tls,
    watch: subject.watch,
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
  const call = async (one: Case): Promise<void> => {
    const headers = { "x-session-track": "true", "x-session-context": one.id, "x-case": one.id };
    const code = await client.call(one.kind, headers, one.ending.client ?? {}, one.begun);
    one.seen = one.ending.client?.cutAfterMs === undefined ? code : 1;
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
  const none = (): Wrong => ({ flagged: 0, unflagged: 0, byFormerRule: 0 });
  const result: MatrixResult = {
    cases: cases.length,
    missing: [],
    doubled: [],
    wrongStatus: [],
    flaggedWrongStatus: [],
    wrongHandlerStatus: [],
    leavings: { all: 0, flagged: 0, wrongDeadlines: none(), wrongCancellations: none(), notCompared: 0 },
  };
  const byId = groupBy(events, ({ encodedSessionContext }) => encodedSessionContext);
  for (const one of cases) {
    const [event, ...more] = byId.get(one.id) ?? [];
    if (more.length > 0) result.doubled.push(one.name);
    if (event !== undefined) compareEvent(one, event, result);
    else if (one.ending.mayStayUnsent === true && one.hasBegun === undefined) result.leavings.notCompared += 1;
    else result.missing.push(one.name);
  }
  return result;
}

function compareEvent({ name, kind, seen, ending }: Case, event: MatrixEvent, result: MatrixResult): void {
  const status = statusName(seen);
  if (ending.status === undefined) countLeaving(status, event, result.leavings);
  else result.leavings.notCompared += 1;
  if (!(ending.status ?? [status]).includes(event.status)) {
    const wrong = event.statusInferred ? result.flaggedWrongStatus : result.wrongStatus;
    wrong.push(`${name}: the client saw ${status}, the event says ${event.status}`);
  }
  const expected = typeof ending.handlerStatus === "function" ? ending.handlerStatus(kind) : ending.handlerStatus;
  const allowed = [expected ?? "same"].flat().map((one) => (one === "same" || one === event.status ? "" : one));
  if (!allowed.includes(event.handlerStatus)) {
    result.wrongHandlerStatus.push(
      `${name}: expected ${allowed.join(" or ") || "the same"}, got ${event.handlerStatus || "the same"}`,
    );
  }
}

function countLeaving(seen: string, event: MatrixEvent, leavings: Leavings): void {
  const wrong =
    seen === "DEADLINE_EXCEEDED" ? leavings.wrongDeadlines : seen === "CANCELLED" ? leavings.wrongCancellations : null;
  if (wrong === null) return;
  leavings.all += 1;
  if (event.statusInferred) leavings.flagged += 1;
  if (event.status !== seen) wrong[event.statusInferred ? "flagged" : "unflagged"] += 1;
  if (formerStatus(event) !== seen) wrong.byFormerRule += 1;
}

function formerStatus({ duration, timeout }: MatrixEvent): string {
  const timeoutMs = timeout === undefined ? Infinity : inMs(timeout);
  const elapsedMs = duration === undefined ? 0 : inMs(duration);
  return elapsedMs >= timeoutMs - Math.max(25, timeoutMs / 10) ? "DEADLINE_EXCEEDED" : "CANCELLED";
}

function inMs({ seconds, nanos }: NonNullable<MatrixEvent["duration"]>): number {
  return Number(seconds) * 1_000 + nanos / 1e6;
}
