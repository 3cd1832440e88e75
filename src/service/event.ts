// Who writes which field of an event. Each has one writer, which writes it once:
//
// | writer                          | fields                                                                          |
// | ------------------------------- | ------------------------------------------------------------------------------- |
// | the start: `startEvent`         | event_id, encoded_session_context, service, started_at, procedure, instance_id, |
// |                                 | traceparent, mark_signature, timeout, attempt                                   |
// | the judgement, at the start     | action, context_verified, context_problem                                       |
// | the handler: annotation.ts      | attributes                                                                      |
// | the end: `completeEvent`        | status, handler_status, status_inferred, duration, completed_at                 |
// | publishing: guarded-publisher.ts | sequence                                                                       |
//
// Nobody here writes `interrupted`: whoever recovers an event from the record of its start does.
import type { ContextProblem } from "../contract/context-problem.js";
import { declaredActivity } from "../contract/declared-activity.js";
import { type HeaderValues, readTraceparent } from "../contract/headers.js";
import type { Mark } from "../contract/mark.js";
import { procedureOf } from "../contract/procedure.js";
import type { ActivityStatus } from "../contract/status.js";
import { readAttempt, readTimeoutMs } from "../contract/timeout.js";
import type { Call } from "../outcome/caller.js";
import type { Completion } from "../outcome/completion.js";
import type { ContextRecorder } from "./context-recorder.js";
import { uuidv7 } from "./event-id.js";
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
 * The event of a call until it is encoded: the fields of the schema, by the same names. It is a flat object with times in plain
 * numbers, since making the protobuf message would cost more than all else that is done for it.
 */
export interface OpenEvent {
  readonly eventId: string;
  readonly encodedSessionContext: string;
  readonly service: string;
  readonly action: string;
  readonly procedure: string;
  readonly instanceId: string;
  readonly traceparent: string;
  readonly contextVerified: boolean;
  readonly contextProblem: ContextProblem | "";
  readonly markSignature: string;
  /** A whole number of milliseconds, on the clock of `Date.now()`. */
  readonly startedAtMs: number;
  readonly timeoutMs: number | undefined;
  readonly attempt: number;
  /** Undefined as long as there is none. */
  attributes: Record<string, string> | undefined;
  /** Empty until the call has ended. */
  status: ActivityStatus | "";
  handlerStatus: ActivityStatus | "";
  statusInferred: boolean;
  /** Undefined until the call has ended. */
  durationMs: number | undefined;
}

/**
 * Creates the event of a call, once its mark is judged. The event says that the call came at `arrivedAtMs`, on the clock of
 * `Date.now()`.
 */
export function startEvent(
  source: EventSource,
  method: Call["method"],
  header: HeaderValues,
  mark: Mark,
  judgement: Judgement,
  arrivedAtMs: number,
): OpenEvent {
  const procedure = procedureOf(method);
  const isMarked = mark.kind === "marked";
  const isTooLarge = isMarked && Buffer.byteLength(mark.context) > source.maxContextBytes;
  const context = isMarked && !isTooLarge ? mark.context : "";
  return {
    eventId: uuidv7(arrivedAtMs),
    encodedSessionContext: context && (source.recorder?.record(context, procedure) ?? context),
    service: source.service,
    action: actionOf(mark, judgement) ?? declaredActivity(method)?.label ?? procedure,
    procedure,
    instanceId: source.instanceId,
    traceparent: readTraceparent(header),
    contextVerified: judgement.kind === "verified",
    contextProblem: problemOf(judgement, isTooLarge),
    markSignature: isMarked ? mark.signature : "",
    startedAtMs: arrivedAtMs,
    timeoutMs: readTimeoutMs(header),
    attempt: readAttempt(header) ?? 0,
    attributes: undefined,
    status: "",
    handlerStatus: "",
    statusInferred: false,
    durationMs: undefined,
  };
}

/** Only a mark that is not doubted may name the action. Otherwise the schema does, and if it does not, the procedure. */
function actionOf(mark: Mark, judgement: Judgement): string | undefined {
  return mark.kind === "marked" && judgement.kind !== "doubted" ? mark.operation : undefined;
}

/** An event without its context says so first. */
function problemOf(judgement: Judgement, isTooLarge: boolean): ContextProblem | "" {
  if (isTooLarge) return "too_large";
  return judgement.kind === "doubted" ? judgement.reason : "";
}

/** Adds how the call ended. */
export function completeEvent(event: OpenEvent, completion: Completion, durationMs: number): void {
  event.status = completion.status;
  event.handlerStatus = completion.handlerStatus;
  event.statusInferred = completion.inferred;
  event.durationMs = durationMs;
}
