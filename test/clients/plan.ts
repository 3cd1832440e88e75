import type { Random } from "../support/random.js";
import { answerHeader, type CallKind, type Case, getPath, handlerHeader, paths } from "./case.js";
import { type LabClient, labClients, type Wire } from "./lab-clients.js";
import type { HandlerName } from "./lab-handlers.js";
import { delayedAddress, delays } from "./lab-network.js";
import type { Ports } from "./lab-record.js";

/** The circumstances that calls are made under. */
export const settingNames = ["quiet", "cold", "delayed", "busy-server", "busy-client", "proxied"] as const;
export type SettingName = (typeof settingNames)[number];

/** The ways from a client to the server. */
export const pathNames = ["direct", "nginx", "haproxy", "envoy"] as const;
export type PathName = (typeof pathNames)[number];

/** A setting, as it is run. */
export interface Setting {
  readonly name: SettingName;
  /** How long calls are started and run, in milliseconds. The longest deadline has to fit in. */
  readonly windowMs: number;
  readonly paths: readonly PathName[];
  /** Whether each call opens a connection of its own: never, always, or as chance has it. */
  readonly cold: "never" | "always" | "mixed";
  readonly tls: boolean;
  readonly delayed: boolean;
  readonly serverBlocked: number;
  readonly clientBlocked: number;
}

const usual: Omit<Setting, "name"> = {
  windowMs: 30_000,
  paths: ["direct"],
  cold: "never",
  tls: false,
  delayed: false,
  serverBlocked: 0,
  clientBlocked: 0,
};

/** All settings. Those with a long window have deadlines of a minute, too. */
export const settings: Readonly<Record<SettingName, Setting>> = {
  quiet: { ...usual, name: "quiet", windowMs: 63_000 },
  cold: { ...usual, name: "cold", windowMs: 40_000, cold: "always", tls: true },
  delayed: { ...usual, name: "delayed", windowMs: 63_000, cold: "mixed", tls: true, delayed: true },
  "busy-server": { ...usual, name: "busy-server", cold: "mixed", serverBlocked: 0.6 },
  "busy-client": { ...usual, name: "busy-client", cold: "mixed", clientBlocked: 0.6 },
  proxied: { ...usual, name: "proxied", windowMs: 40_000, paths: ["nginx", "haproxy", "envoy"], cold: "mixed" },
};

/** Short ones are few, as a call that takes a whole deadline of a few milliseconds is rare. */
const deadlinesMs = [
  { outOf10: 1, of: [1, 2, 5, 10, 25, 50] },
  { outOf10: 4, of: [100, 200, 500] },
  { outOf10: 5, of: [1_000, 2_000, 5_000, 10_000] },
].flatMap(({ outOf10, of }) => Array.from({ length: outOf10 }, () => of));
const longMs = 60_000;
/** Where calls are cancelled, as a share of the deadline. */
const cancelShares = [0.1, 0.1, 0.5, 0.5, 0.9, 0.95, 0.99];
/** When handlers answer that do so near the deadline, as a share of it. */
const answerShares = [0.5, 0.9, 0.98, 1, 1.02];
const longCancelShares = [0.5, 0.92, 0.95, 0.97, 0.99];
/** How long after its start a call without a deadline in sight is cancelled. */
const plainCancelMs = [20, 100, 500, 2_000];

/** The clients that call the method without side effects by HTTP GET. */
const getters: ReadonlySet<string> = new Set(["connect-node", "connect-go", "curl"]);

/** Where the server, or a proxy before it, takes calls: what `target` is for a wire. */
export type TargetOf = (wire: Wire, tls: boolean, delayMs: number | undefined) => string;

/** The target of a server that is reached directly. */
export function directTarget(ports: Ports): TargetOf {
  return ({ http }, tls, delayMs) => {
    const port = http === "1.1" ? (tls ? ports.https : ports.h1) : tls ? ports.h2 : ports.h2c;
    return `${delayMs === undefined ? "127.0.0.1" : delayedAddress(delayMs)}:${port}`;
  };
}

/** A case, with what the report groups it by. */
export interface PlannedCase extends Case {
  readonly setting: SettingName;
  readonly client: string;
  readonly via: PathName;
  readonly delayMs: number;
  /** The share of the deadline at which it is cancelled. Absent: it is not, or has no deadline in sight. */
  readonly cancelShare?: number;
}

/** The cases of one client in one setting, over one path. */
export function planCases(
  setting: Setting,
  clientName: string,
  via: PathName,
  count: number,
  targetOf: TargetOf,
  random: Random,
): PlannedCase[] {
  const client = labClients[clientName]!;
  return Array.from({ length: count }, (_, index) => {
    const wire = random.pick(wiresOver(client, via));
    const tls = setting.tls && random.below(2) === 0;
    const delayMs = setting.delayed ? random.pick(delays) : undefined;
    const isGet = wire.protocol === "connect" && getters.has(clientName) && random.below(8) === 0;
    const kind = client.isSimple || isGet ? "unary" : kindOf(wire, random);
    const times = timesOf(setting, random);
    const lastsMs = Math.min(times.deadlineMs ?? Infinity, times.cancelAfterMs ?? Infinity);
    const id = `${setting.name}/${via}/${clientName}/${index}`;
    return {
      id,
      setting: setting.name,
      client: clientName,
      via,
      delayMs: delayMs ?? 0,
      ...wire,
      ...times,
      startMs: random.below(Math.max(1_500, setting.windowMs - lastsMs - 1_000)),
      target: targetOf(wire, tls, delayMs),
      tls,
      kind,
      path: isGet ? getPath : paths[kind],
      cold: client.isSimple || setting.cold === "always" || (setting.cold === "mixed" && random.below(2) === 0),
      how: isGet ? "get" : random.pick(client.hows),
      headers: {
        "x-session-track": "true",
        "x-session-context": id,
        ...handlerOf(kind, times, random),
      },
    };
  });
}

/** nginx speaks HTTP/2 to a service only for gRPC, so other protocols come to it over HTTP/1.1. */
function wiresOver({ wires }: LabClient, via: PathName): readonly Wire[] {
  return via === "nginx" ? wires.filter(({ http, protocol }) => http === "1.1" || protocol === "grpc") : wires;
}

function kindOf({ http }: Wire, random: Random): CallKind {
  // Most security-sensitive calls are unary.
  if (random.below(2) === 0) return "unary";
  const streams: readonly CallKind[] = ["client_streaming", "server_streaming", "bidi_streaming"];
  return random.pick(http === "1.1" ? streams.slice(0, 2) : streams);
}

/** The headers that say what the handler does. Mostly it waits for the caller to leave. */
function handlerOf(kind: CallKind, times: Times, random: Random): Record<string, string> {
  const { deadlineMs, cancelAfterMs } = times;
  if (deadlineMs === undefined || cancelAfterMs !== undefined || random.below(8) > 0) {
    return { [handlerHeader]: waitingHandlerOf(kind, random) };
  }
  const answerMs = deadlineMs * random.pick(answerShares);
  return { [handlerHeader]: "later" satisfies HandlerName, [answerHeader]: String(answerMs) };
}

function waitingHandlerOf(kind: CallKind, random: Random): HandlerName {
  const any: readonly HandlerName[] = ["wait", "wait", "obey", "ignore"];
  if (kind === "unary") return random.pick(any);
  if (kind === "client_streaming") return random.pick([...any, "read"]);
  if (kind === "server_streaming") return random.pick([...any, "stream"]);
  return random.pick([...any, "stream", "read"]);
}

type Times = Pick<PlannedCase, "deadlineMs" | "cancelAfterMs" | "cancelShare">;

function timesOf(setting: Setting, random: Random): Times {
  const isLong = setting.windowMs > longMs && random.below(8) === 0;
  const deadlineMs = isLong ? longMs : random.pick(random.pick(deadlinesMs));
  const chance = random.below(20);
  if (chance < 11) return { deadlineMs };
  if (chance < 18) {
    const cancelShare = random.pick(isLong ? longCancelShares : cancelShares);
    return { deadlineMs, cancelShare, cancelAfterMs: deadlineMs * cancelShare };
  }
  const cancelAfterMs = random.pick(plainCancelMs);
  return chance === 18 ? { cancelAfterMs } : { cancelAfterMs, deadlineMs: longMs };
}
