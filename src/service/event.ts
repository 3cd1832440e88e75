// Who writes which field of an event. Each has one writer, which writes it once:
//
// | writer                          | fields                                                                          |
// | ------------------------------- | ------------------------------------------------------------------------------- |
// | the start: `startEvent`         | event_id, encoded_session_context, service, started_at, procedure, instance_id, |
// |                                 | traceparent, mark_signature, timeout, attempt                                   |
// | the judgement: `writeJudgement` | action, context_verified, context_problem                                       |
// | the handler: annotation.ts      | attributes                                                                      |
// | the end: `completeEvent`        | status, handler_status, status_inferred, duration, completed_at                 |
// | publishing: guarded-publisher.ts | sequence                                                                       |
//
// Nobody here writes `interrupted`: whoever recovers an event from the note of its start does.
import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import {
  type SessionActivityEvent,
  SessionActivityEventSchema,
} from "../../gen/sessionactivity/v1/session_activity_pb.js";
import type { ContextProblem } from "../contract/context-problem.js";
import { readTraceparent } from "../contract/headers.js";
import type { Mark } from "../contract/mark.js";
import { procedureOf } from "../contract/procedure.js";
import { readAttempt, readTimeoutMs } from "../contract/timeout.js";
import type { Call } from "../outcome/caller.js";
import type { Completion } from "../outcome/completion.js";
import type { ContextRecorder } from "./context-recorder.js";
import type { Judgement } from "./judge.js";

/** What all events of one interceptor have in common. */
export interface EventSource {
  readonly service: string;
  readonly instanceId: string;
  /** A larger context is left out, and the event says so. */
  readonly maxContextBytes: number;
  /** Replaces contexts in events. Undefined if they are recorded as they came. */
  readonly recorder: ContextRecorder | undefined;
}

/**
 * Creates the event of a call, once its mark is judged. The event says that the call came at `arrivedAtMs`, on the clock of
 * `Date.now()`.
 *
 * Fields are assigned one by one: `create` with an initial value takes three times as long.
 */
export function startEvent(
  source: EventSource,
  call: Pick<Call, "method" | "header">,
  mark: Mark,
  judgement: Judgement,
  arrivedAtMs: number,
): SessionActivityEvent {
  const event = create(SessionActivityEventSchema);
  const procedure = procedureOf(call.method);
  const isTooLarge = mark.kind === "marked" && Buffer.byteLength(mark.context) > source.maxContextBytes;
  event.eventId = uuidv7(arrivedAtMs);
  event.service = source.service;
  event.instanceId = source.instanceId;
  event.procedure = procedure;
  event.traceparent = readTraceparent(call.header);
  const timeoutMs = readTimeoutMs(call.header);
  if (timeoutMs !== undefined) {
    event.timeout = create(DurationSchema);
    setTime(event.timeout, BigInt(Math.floor(timeoutMs / 1000)), Math.round((timeoutMs % 1000) * 1e6));
  }
  event.attempt = readAttempt(call.header) ?? 0;
  event.startedAt = create(TimestampSchema);
  event.startedAt.seconds = BigInt(Math.floor(arrivedAtMs / 1000));
  event.startedAt.nanos = (arrivedAtMs % 1000) * 1_000_000;
  if (mark.kind === "marked") {
    event.markSignature = mark.signature;
    if (!isTooLarge) event.encodedSessionContext = source.recorder?.record(mark.context, procedure) ?? mark.context;
  }
  writeJudgement(event, judgement, (mark.kind === "marked" && mark.operation) || procedure, isTooLarge);
  return event;
}

/** Only a mark that is not doubted may name the action. */
function writeJudgement(
  event: SessionActivityEvent,
  judgement: Judgement,
  markedAction: string,
  isTooLarge: boolean,
): void {
  event.action = judgement.kind === "doubted" ? event.procedure : markedAction;
  event.contextVerified = judgement.kind === "verified";
  event.contextProblem = problemOf(judgement, isTooLarge);
}

/** An event without its context says so first. */
function problemOf(judgement: Judgement, isTooLarge: boolean): ContextProblem | "" {
  if (isTooLarge) return "too_large";
  return judgement.kind === "doubted" ? judgement.reason : "";
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
  event.statusInferred = completion.inferred;
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
