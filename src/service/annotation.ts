import type { ContextKey, ContextValues } from "@connectrpc/connect";
import type { TroubleLog } from "../base/log.js";
import { createSharedKey } from "../contract/shared-key.js";
import type { OpenEvent } from "./event.js";
import type { ServiceTrouble } from "./service-troubles.js";

const maxAttributes = 8;
const maxAttributeBytes = 256;

/** What an interceptor leaves for the handler of a tracked call, and for a second interceptor in the same chain. */
export interface AnnotatedCall {
  readonly header: Headers;
  readonly log: TroubleLog<ServiceTrouble>;
  /** The event, as long as it may change: not after it is published, and not if the call has none. */
  readonly openEvent: OpenEvent | undefined;
}

/** Where the tracked call is found. Private to the copies of this package. */
export const trackedCallKey: ContextKey<AnnotatedCall | undefined> = createSharedKey<AnnotatedCall | undefined>(
  "tracked call",
  undefined,
);

/**
 * Adds attributes to the event of a call, from its handler.
 *
 * An event holds at most 8 attributes. Each name and each value has at most 256 bytes of UTF-8. What does not fit is left
 * out, with a warning. The same name again replaces the value.
 *
 * Does nothing if the call is not tracked, or if its event is published already. Never throws.
 *
 * @example annotateSessionActivity(ctx.values, { target: "user/42" });
 */
export function annotateSessionActivity(values: ContextValues, attributes: Readonly<Record<string, string>>): void {
  const call = values.get(trackedCallKey);
  const event = call?.openEvent;
  if (call === undefined || event === undefined) return;
  let complete: boolean;
  try {
    event.attributes ??= {};
    complete = addAll(event.attributes, attributes);
  } catch {
    complete = false;
  }
  if (complete) return;
  call.log.warn(
    "attribute",
    { procedure: event.procedure, maxAttributes, maxAttributeBytes },
    "an attribute was left out: it is no text, too long, or one too many",
  );
}

/** Adds those that fit. False if one does not. */
function addAll(target: Record<string, string>, attributes: Readonly<Record<string, string>>): boolean {
  let all = true;
  for (const [name, value] of Object.entries(attributes)) all = add(target, name, value) && all;
  return all;
}

/** False if the attribute does not fit. */
function add(target: Record<string, string>, name: string, value: unknown): boolean {
  if (!isAttribute(name) || !isAttribute(value) || name === "" || name === "__proto__") return false;
  if (!Object.hasOwn(target, name) && Object.keys(target).length >= maxAttributes) return false;
  target[name] = value;
  return true;
}

function isAttribute(text: unknown): text is string {
  return typeof text === "string" && Buffer.byteLength(text) <= maxAttributeBytes;
}
