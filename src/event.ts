import { create } from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { v7 as uuidv7 } from "uuid";
import {
  type SessionActivityEvent,
  SessionActivityEventSchema,
} from "../gen/sessionactivity/v1/session_activity_pb.js";
import type { Completion } from "./completion.js";
import type { SessionMark } from "./headers.js";

/** What is known of an event when its call begins. */
export interface EventStart {
  readonly service: string;
  readonly instanceId: string;
  readonly procedure: string;
  readonly mark: SessionMark;
  /** A larger context is left out, and the event says so. */
  readonly maxContextBytes: number;
}

/** Creates the event of a call that begins now. */
export function beginEvent(start: EventStart): SessionActivityEvent {
  const { mark, procedure } = start;
  const now = Date.now();
  const tooLarge = mark.context.length > start.maxContextBytes;
  return create(SessionActivityEventSchema, {
    eventId: uuidv7(),
    encodedSessionContext: tooLarge ? "" : mark.context,
    contextProblem: tooLarge ? "too_large" : "",
    service: start.service,
    action: mark.operation ?? procedure,
    startedAt: create(TimestampSchema, { seconds: BigInt(Math.floor(now / 1000)), nanos: (now % 1000) * 1_000_000 }),
    procedure,
    instanceId: start.instanceId,
    traceparent: mark.traceparent,
  });
}

/** Adds how the call ended. */
export function completeEvent(event: SessionActivityEvent, completion: Completion, durationMs: number): void {
  event.status = completion.status;
  event.handlerStatus = completion.handlerStatus;
  const durationNanos = Math.round(durationMs * 1e6);
  event.duration = create(DurationSchema, split(durationNanos));
  const end = split((event.startedAt?.nanos ?? 0) + durationNanos);
  const startSeconds = event.startedAt?.seconds ?? 0n;
  event.completedAt = create(TimestampSchema, { nanos: end.nanos, seconds: startSeconds + end.seconds });
}

function split(nanos: number): { seconds: bigint; nanos: number } {
  return { seconds: BigInt(Math.floor(nanos / 1e9)), nanos: nanos % 1e9 };
}
