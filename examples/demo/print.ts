import { toJson } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import {
  decodeSessionContext,
  type SessionActivityEvent,
  SessionActivityEventSchema,
  type SessionContext,
} from "connect-session-activity";
import type { SignalChange } from "connect-session-activity/history";

const width = 18;

/** One line of the story: who, and what. */
export function say(who: string, what: string): void {
  console.log(`  ${who.padEnd(width)}${what}`);
}

export function title(text: string): void {
  console.log(`\n${text}`);
}

/** The session headers among others, as text. */
export function sessionHeadersIn(headers: Headers): string {
  const ours = [...headers].filter(([name]) => name.startsWith("x-session-"));
  return ours.length === 0 ? "no session headers" : ours.map(([name, value]) => `${name}: ${value}`).join("  ");
}

export function sayChange({ action, signal, previousValue, value }: SignalChange): void {
  const change = previousValue === undefined ? `is ${value}` : `changed from ${previousValue} to ${value}`;
  say(action, `${signal} ${change}`);
}

/** The context that the gateway encoded. A stranger's can be anything. */
function contextOf(event: SessionActivityEvent): SessionContext | undefined {
  try {
    return decodeSessionContext(event.encodedSessionContext);
  } catch {
    return undefined;
  }
}

/** `durationMs` of protobuf-es, which has it from 2.10 on only. */
function msOf({ seconds, nanos }: Duration): number {
  return Number(seconds) * 1e3 + nanos / 1e6;
}

export function sayEvent(event: SessionActivityEvent): void {
  const status = event.statusInferred ? `${event.status} (most probably)` : event.status;
  const deadline = event.timeout === undefined ? "" : `, with a deadline of ${msOf(event.timeout)} ms`;
  const ended = `${status}${deadline}${event.handlerStatus && ` (the handler ended with ${event.handlerStatus})`}`;
  const context = event.contextVerified ? contextOf(event) : undefined;
  const who =
    context === undefined
      ? `NOT VERIFIED: ${event.contextProblem}`
      : `${context.sessionId} of ${context.userId}, ${context.deviceId}, ${context.country}`;
  say("from Kafka", `#${event.sequence} ${event.action}: ${ended}, ${who}`);
}

export function sayJson(event: SessionActivityEvent): void {
  console.log(JSON.stringify(toJson(SessionActivityEventSchema, event), null, 2).replaceAll(/^/gm, "    "));
}
