import { type DescMessage, type JsonObject, type MessageShape, toJson } from "@bufbuild/protobuf";
import {
  type SessionActivityEvent,
  SessionActivityEventSchema,
  type SessionContext,
  SessionContextSchema,
} from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { printableJson } from "../base/text.js";
import type { EventView } from "../contract/personal-fields.js";
import type { InvalidRecord } from "../kafka/consumer/consumed-record.js";
import { isInvalid, type ReadRecord } from "./record-stream.js";
import { decodeRun, jsonOfRun } from "./run-text.js";
import { isValidDuration, isValidTime, millisecondsText } from "./time-text.js";

/** What a line of JSON holds besides what is masked. */
export interface JsonOptions {
  /** Whether the record's bytes go along, by which it can be checked that nothing was changed. They hold everything. */
  readonly hasValue: boolean;
}

/** A record as one line of JSON: where it stands, and the event in protobuf's JSON, or why there is none. */
export function jsonOfRecord(read: ReadRecord, view: EventView | undefined, { hasValue }: JsonOptions): string {
  const { topic, partition, offset, timestampMs, value } = read.record;
  const timestamp = millisecondsText(timestampMs);
  return printableJson(
    JSON.stringify({
      topic,
      partition,
      offset,
      ...(timestamp !== undefined && { timestamp }),
      ...(isInvalid(read) ? jsonWithoutEvent(read) : view && jsonOfView(view)),
      ...(hasValue && value !== undefined && { value: Buffer.from(value).toString("base64") }),
    }),
  );
}

/** A run record, or why there is no event. */
function jsonWithoutEvent({ record, reason }: InvalidRecord): object {
  const run = decodeRun(record.value);
  return run === undefined ? { problem: reason } : jsonOfRun(run);
}

/** An event and its session context in protobuf's JSON. */
export function jsonOfView({ event, context }: EventView): {
  readonly event: JsonObject;
  readonly context?: JsonObject;
} {
  const json = objectOf(SessionActivityEventSchema, withValidTimes(event));
  return context === undefined ? { event: json } : { event: json, ...jsonOfContext(context) };
}

/** A session context in protobuf's JSON. */
export function jsonOfContext(context: SessionContext): { readonly context: JsonObject } {
  return { context: objectOf(SessionContextSchema, context) };
}

/** Without the times that protobuf's JSON refuses: one of them must not hide an event. */
function withValidTimes(event: SessionActivityEvent): SessionActivityEvent {
  const times = { startedAt: event.startedAt, completedAt: event.completedAt };
  const durations = { duration: event.duration, timeout: event.timeout };
  const wrong = [
    ...Object.entries(times).filter(([, time]) => time !== undefined && !isValidTime(time)),
    ...Object.entries(durations).filter(([, duration]) => duration !== undefined && !isValidDuration(duration)),
  ].map(([name]) => name);
  if (wrong.length === 0) return event;
  const copy = { ...event };
  for (const name of wrong) Reflect.deleteProperty(copy, name);
  return copy;
}

function objectOf<Schema extends DescMessage>(schema: Schema, message: MessageShape<Schema>): JsonObject {
  // A message is an object in protobuf's JSON, except for well-known types.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return toJson(schema, message) as JsonObject;
}
