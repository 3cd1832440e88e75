import { type ContextKey, type ContextValues, createContextKey } from "@connectrpc/connect";
import type { SessionActivityEvent } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import type { TroubleLog } from "../base/log.js";

const maxAttributes = 8;
const maxAttributeBytes = 256;

/** What an interceptor leaves for the handler of a tracked call, and for a second interceptor in the same chain. */
export interface TrackedCall {
  readonly event: SessionActivityEvent;
  readonly header: Headers;
  readonly log: TroubleLog;
}

/** Where the tracked call is found. Private to this package. */
export const trackedCallKey: ContextKey<TrackedCall | undefined> = createContextKey<TrackedCall | undefined>(
  undefined,
  {
    description: "connect-session-activity: tracked call",
  },
);

/**
 * Adds attributes to the event of the call, from its handler: `annotateSessionActivity(ctx.values, { target: "user/42" })`.
 *
 * An event holds at most 8 attributes, each name and each value at most 256 bytes of UTF-8. What does not fit is left out,
 * with a warning. The same name again replaces the value. Does nothing on calls that are not tracked, or whose event is
 * published already. Never throws.
 */
export function annotateSessionActivity(values: ContextValues, attributes: Readonly<Record<string, string>>): void {
  const call = values.get(trackedCallKey);
  if (call === undefined) return;
  let complete: boolean;
  try {
    complete = addAll(call.event.attributes, attributes);
  } catch {
    complete = false;
  }
  if (complete) return;
  call.log.warn(
    "attribute",
    { procedure: call.event.procedure, maxAttributes, maxAttributeBytes },
    "an attribute was left out: it is no text, too long, or one too many",
  );
}

/** Answers false where one does not fit; the others are added. */
function addAll(target: Record<string, string>, attributes: Readonly<Record<string, string>>): boolean {
  let all = true;
  for (const [name, value] of Object.entries(attributes)) all = add(target, name, value) && all;
  return all;
}

/** Answers false where the attribute does not fit. */
function add(target: Record<string, string>, name: string, value: unknown): boolean {
  if (!isAttribute(name) || !isAttribute(value) || name === "" || name === "__proto__") return false;
  if (!Object.hasOwn(target, name) && Object.keys(target).length >= maxAttributes) return false;
  target[name] = value;
  return true;
}

function isAttribute(text: unknown): text is string {
  return typeof text === "string" && Buffer.byteLength(text) <= maxAttributeBytes;
}
