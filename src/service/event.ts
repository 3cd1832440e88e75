import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import {
  type SessionActivityEvent,
  SessionActivityEventSchema,
} from "../../gen/sessionactivity/v1/session_activity_pb.js";
import type { SessionMark } from "../contract/headers.js";
import type { Completion } from "../outcome/completion.js";

/** What all events of one interceptor have in common. */
export interface EventSource {
  readonly service: string;
  readonly instanceId: string;
  /** A larger context is left out, and the event says so. */
  readonly maxContextBytes: number;
}

/**
 * Creates the event of a call that begins now.
 *
 * Fields are assigned one by one: `create` with an initial value takes three times as long.
 */
export function beginEvent(source: EventSource, procedure: string, mark: SessionMark): SessionActivityEvent {
  const now = Date.now();
  const event = create(SessionActivityEventSchema);
  event.eventId = uuidv7(now);
  if (Buffer.byteLength(mark.context) > source.maxContextBytes) event.contextProblem = "too_large";
  else event.encodedSessionContext = mark.context;
  event.service = source.service;
  event.action = mark.operation ?? procedure;
  event.startedAt = create(TimestampSchema);
  event.startedAt.seconds = BigInt(Math.floor(now / 1000));
  event.startedAt.nanos = (now % 1000) * 1_000_000;
  event.procedure = procedure;
  event.instanceId = source.instanceId;
  event.traceparent = mark.traceparent;
  event.markSignature = mark.signature;
  return event;
}

/**
 * A UUID of version 7, RFC 9562, section 5.7: 48 bits of time in milliseconds, the rest random.
 *
 * Built on Node's `randomUUID`, which draws its randomness in batches: 20 times as fast as drawing it for each.
 */
function uuidv7(now: number): string {
  const time = now.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

/** Adds how the call ended. */
export function completeEvent(event: SessionActivityEvent, completion: Completion, durationMs: number): void {
  event.status = completion.status;
  event.handlerStatus = completion.handlerStatus;
  event.duration = create(DurationSchema);
  event.completedAt = create(TimestampSchema);
  const durationNanos = Math.round(durationMs * 1e6);
  setTime(event.duration, 0n, durationNanos);
  setTime(event.completedAt, event.startedAt?.seconds ?? 0n, (event.startedAt?.nanos ?? 0) + durationNanos);
}

function setTime(time: { seconds: bigint; nanos: number }, seconds: bigint, nanos: number): void {
  time.seconds = seconds + BigInt(Math.floor(nanos / 1e9));
  time.nanos = nanos % 1e9;
}
