import { isIP } from "node:net";
import type { SessionActivityEvent } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { decodeSessionContext } from "../contract/session-context.js";

/** What an event says about a session. */
export interface SessionSignals {
  /** The session. Up to 256 characters. */
  readonly sessionId: string;
  /** Whose session it is, so that everything about a user can be erased. */
  readonly userId?: string | undefined;
  /** The signals by name, up to 64. One that is absent, undefined or empty says nothing: it does not end what was there. */
  readonly signals: Readonly<Record<string, string | undefined>>;
}

/**
 * The signals of an event whose context was made by `encodeSessionContext`: `user_id`, `actor_id`, `organization_id`,
 * `auth_method`, `device_id`, `country`, `client_ip`, `user_agent`, and what is in the context's own `signals`. Undefined
 * if there is no such context, or no session in it.
 */
export function sessionContextSignals(event: SessionActivityEvent): SessionSignals | undefined {
  if (event.encodedSessionContext === "") return undefined;
  const context = decodeSessionContext(event.encodedSessionContext);
  const { sessionId, userId } = context;
  if (sessionId === "") return undefined;
  return {
    sessionId,
    userId,
    signals: {
      ...context.signals,
      user_id: userId,
      actor_id: context.actorId,
      organization_id: context.organizationId,
      auth_method: context.authMethod,
      device_id: context.deviceId,
      country: context.country,
      client_ip: context.clientIp,
      user_agent: context.userAgent,
    },
  };
}

/**
 * Makes values alike that mean the same: white space at the ends goes, `country` is in upper case, and `client_ip` is the
 * network, /24 or /64, since the address of a phone changes all the time.
 */
export function normalizeSignal(signal: string, value: string): string {
  const trimmed = value.trim();
  if (signal === "country") return trimmed.toUpperCase();
  if (signal === "client_ip") return networkOf(trimmed);
  return trimmed;
}

function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
  if (isIP(mapped) === 4) return `${mapped.slice(0, mapped.lastIndexOf("."))}.0/24`;
  if (isIP(mapped) === 6) return `${firstGroups(mapped)}::/64`;
  return address;
}

/** The first four groups of an IPv6 address, without leading zeros. */
function firstGroups(address: string): string {
  const [head = "", tail] = (address.split("%", 1)[0] ?? "").split("::");
  const groups = head === "" ? [] : head.split(":");
  const last = tail ? tail.split(":") : [];
  // An IPv4 address at the end stands for two groups.
  const lastCount = last.length + (tail?.includes(".") ? 1 : 0);
  const gap = tail === undefined ? 0 : 8 - groups.length - lastCount;
  const all = [...groups, ...Array.from({ length: gap }, () => "0"), ...last];
  return all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
