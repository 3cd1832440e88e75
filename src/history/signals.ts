import type { SessionActivityEvent } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { ambiguousSignals, decodeSessionContext } from "../contract/session-context.js";
import { networkOf } from "./network.js";

/** What an event says about a session. */
export interface SessionSignals {
  /** The session. */
  readonly sessionId: string;
  /** Whose session it is, so that everything about a user can be erased. */
  readonly userId?: string | undefined;
  /** The signals by name, the first 64 of them count. One that is absent, undefined or empty says nothing: it does not end what was there. */
  readonly signals: Readonly<Record<string, string | undefined>>;
  /** Names of signals that were said twice, with different values. `signals` has one of them, and the event is counted. */
  readonly ambiguous?: readonly string[] | undefined;
}

/**
 * The signals of an event whose context was made by `encodeSessionContext`: `user_id`, `actor_id`, `organization_id`,
 * `auth_method`, `device_id`, `country`, `client_ip`, `user_agent`, and what is in the context's own `signals`. If one of
 * these has the name of a field, the field wins unless it is blank. Undefined if there is no such context, or no session in it.
 */
export function sessionContextSignals(event: SessionActivityEvent): SessionSignals | undefined {
  if (event.encodedSessionContext === "") return undefined;
  const context = decodeSessionContext(event.encodedSessionContext);
  const { sessionId, userId } = context;
  if (sessionId === "") return undefined;
  const fields = {
    user_id: userId,
    actor_id: context.actorId,
    organization_id: context.organizationId,
    auth_method: context.authMethod,
    device_id: context.deviceId,
    country: context.country,
    client_ip: context.clientIp,
    user_agent: context.userAgent,
  };
  const said = Object.entries(fields).filter(([, value]) => value.trim() !== "");
  return {
    sessionId,
    userId,
    // In this order, since those that are too many are left out at the end.
    signals: { ...Object.fromEntries(said), ...context.signals, ...Object.fromEntries(said) },
    ambiguous: ambiguousSignals(context),
  };
}

/**
 * Makes values alike that mean the same: white space at the ends goes, `country` is in upper case, and `client_ip` is the
 * network, /24 or /64, since the address of a phone changes all the time. See {@link networkOf}.
 */
export function normalizeSignal(signal: string, value: string): string {
  const trimmed = value.trim();
  if (signal === "country") return trimmed.toUpperCase();
  if (signal === "client_ip") return networkOf(trimmed);
  return trimmed;
}
