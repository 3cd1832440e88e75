import { fromBinary } from "@bufbuild/protobuf";
import {
  type SessionActivityEvent,
  SessionActivityEventSchema,
} from "../../../gen/sessionactivity/v1/session_activity_pb.js";
import type { NativeMessage } from "../client/kafka-client.js";
import { isEventFrame, unframe } from "../client/schema-frame.js";
import type { InvalidReason } from "./consumer-stats.js";

/** One header of a record. Kafka allows a key to come more than once. */
export interface SessionActivityHeader {
  readonly key: string;
  /** Empty if the header has none. */
  readonly value: Uint8Array;
}

/** A record as it came from Kafka: where it stood, and its bytes. */
export interface SessionActivityRecord {
  readonly topic: string;
  readonly partition: number;
  /** A number, as the client gives it: exact up to 2^53, which is 285 years at a million records a second. */
  readonly offset: number;
  /** Milliseconds since 1970, set by the producer or by the broker as the topic says. Undefined if the record has none. */
  readonly timestampMs: number | undefined;
  readonly key: Uint8Array | undefined;
  readonly headers: readonly SessionActivityHeader[];
  /** Undefined if the record has none, or an empty one. */
  readonly value: Uint8Array | undefined;
}

/** An event, and the record that it came in. */
export interface SessionActivityItem {
  readonly event: SessionActivityEvent;
  readonly record: SessionActivityRecord;
}

/** A record without an event in it. */
export interface InvalidRecord {
  readonly record: SessionActivityRecord;
  readonly reason: InvalidReason;
}

/**
 * What a message holds. A frame of a Schema Registry is taken off before it is decoded, and stays in the record. Fields that only
 * a newer schema knows stay in the event, and go out again when it is encoded.
 */
export function readMessage(message: NativeMessage): SessionActivityItem | InvalidRecord {
  const record = recordOf(message);
  if (record.value === undefined) return { record, reason: "empty_value" };
  const { payload, frame } = unframe(record.value, record.headers);
  const event = isEventFrame(frame) ? decode(payload) : undefined;
  if (event === undefined) return { record, reason: "undecodable" };
  return event.eventId === "" ? { record, reason: "no_event_id" } : { record, event };
}

function decode(value: Uint8Array): SessionActivityEvent | undefined {
  try {
    return fromBinary(SessionActivityEventSchema, value);
  } catch {
    // What is wrong with the bytes helps nobody: they never heal.
    return undefined;
  }
}

/** A message of the client as a record. */
export function recordOf(message: NativeMessage): SessionActivityRecord {
  const { topic, partition, offset, timestamp, key, headers, value } = message;
  return {
    topic,
    partition,
    offset,
    timestampMs: timestamp === undefined || timestamp < 0 ? undefined : timestamp,
    key: typeof key === "string" ? Buffer.from(key) : (key ?? undefined),
    headers: (headers ?? []).flatMap(headersOf),
    value: value === null || value.length === 0 ? undefined : value,
  };
}

function headersOf(header: Readonly<Record<string, string | Uint8Array>>): SessionActivityHeader[] {
  return Object.entries(header).map(([key, value]) => ({
    key,
    value: typeof value === "string" ? Buffer.from(value) : value,
  }));
}
