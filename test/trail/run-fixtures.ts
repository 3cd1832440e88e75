import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type SessionActivityEvent,
  SessionActivityEventSchema,
} from "../../gen/sessionactivity/v1/session_activity_pb.js";
import {
  type SessionActivityRun,
  SessionActivityRunSchema,
} from "../../gen/sessionactivity/v1/session_activity_run_pb.js";
import type { RunState } from "../../src/publishing/run-record.js";

/** Noon of some day. */
export const noonMs: number = Date.UTC(2026, 0, 1, 12);
export const minuteMs = 60_000;

/** An event with a number. */
export function eventOf(sequence: number, instanceId = "run-1"): SessionActivityEvent {
  return create(SessionActivityEventSchema, {
    eventId: `${instanceId}-${sequence}`,
    service: "account-service",
    instanceId,
    sequence: BigInt(sequence),
  });
}

/** Events with these numbers. */
export function eventsOf(first: number, last: number, instanceId?: string): SessionActivityEvent[] {
  return Array.from({ length: last - first + 1 }, (_, index) => eventOf(first + index, instanceId));
}

/** A run record, so many minutes after noon. */
export function runRecord(
  state: RunState,
  minute: number,
  lastSequence: number,
  more: MessageInitShape<typeof SessionActivityRunSchema> = {},
): SessionActivityRun {
  return create(SessionActivityRunSchema, {
    instanceId: "run-1",
    service: "account-service",
    state,
    startedAt: timestampFromMs(noonMs),
    at: timestampFromMs(noonMs + minute * minuteMs),
    lastSequence: BigInt(lastSequence),
    confirmedSequence: state === "ENDED" || state === "RECOVERED" ? BigInt(lastSequence) : 0n,
    ...more,
  });
}
