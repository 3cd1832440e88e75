import { isUint8Array } from "node:util/types";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type SessionActivityEvent,
  SessionActivityEventSchema,
} from "../../gen/sessionactivity/v1/session_activity_pb.js";

/** What is known of an encoded event. */
interface Known {
  /** The event's `event_id`: the same in the record of its start and in that of its end. */
  readonly eventId: string;
  /** The event's `instance_id`: the run that it belongs to. */
  readonly instanceId: string;
  /** The event's `service`. */
  readonly service: string;
  /** The event's `started_at`, in milliseconds since 1970. Undefined if it has none: the interceptor's events have one. */
  readonly startedAtMs: number | undefined;
  /** The event's `traceparent`. Empty if there is none. */
  readonly traceparent: string;
}

/**
 * An event in its binary form, beside what is known of it. It never changes, so that all who store, hash and send it have the
 * same bytes.
 */
export interface EventRecord extends Known {
  /** The encoded `SessionActivityEvent`, which becomes the value of the Kafka record. Keep it, but do not write to it. */
  readonly bytes: Uint8Array;
  /** The event's number in its run, from 1. It stands in the bytes, too. 0 in the record of a start. */
  readonly sequence: bigint;
  /** Decodes the event. It takes some microseconds, and each call gives a message of its own. */
  decode(): SessionActivityEvent;
}

/**
 * Creates the record of an event that does not come from an interceptor: one that was stored, one that was recovered, or one
 * of a test.
 *
 * @param event The event, which is encoded, or its binary form, which is kept as it is.
 * @throws what protobuf-es throws if a field has a value of the wrong type, or if the bytes hold no event.
 * @example
 * publisher.publish(createEventRecord(storedBytes));
 * publisher.publish(createEventRecord(create(SessionActivityEventSchema, { eventId: "1", status: "OK" })));
 */
export function createEventRecord(event: SessionActivityEvent | Uint8Array): EventRecord {
  if (isUint8Array(event)) return recordOfMessage(fromBinary(SessionActivityEventSchema, event), event);
  return recordOfMessage(event, toBinary(SessionActivityEventSchema, event));
}

function recordOfMessage(event: SessionActivityEvent, bytes: Uint8Array): EventRecord {
  const { eventId, instanceId, service, startedAt, traceparent, sequence } = event;
  const startedAtMs = startedAt && timestampMs(startedAt);
  return recordOf(bytes, sequence, { eventId, instanceId, service, startedAtMs, traceparent });
}

/** Whether this is a record, as far as a publisher relies on it: code without types may publish anything. */
export function isEventRecord(value: unknown): value is EventRecord {
  if (typeof value !== "object" || value === null) return false;
  const { bytes, eventId, service, traceparent }: Partial<Record<keyof EventRecord, unknown>> = value;
  return isUint8Array(bytes) && isText(eventId) && isText(service) && isText(traceparent);
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

/** The record of an event that is encoded already. */
export function recordOf(bytes: Uint8Array, sequence: bigint, known: Known): EventRecord {
  return new EncodedEvent(bytes, sequence, known);
}

class EncodedEvent implements EventRecord {
  readonly bytes: Uint8Array;
  readonly sequence: bigint;
  readonly eventId: string;
  readonly instanceId: string;
  readonly service: string;
  readonly startedAtMs: number | undefined;
  readonly traceparent: string;

  /** Takes single fields: what they come from may hold much more. */
  constructor(bytes: Uint8Array, sequence: bigint, { eventId, instanceId, service, startedAtMs, traceparent }: Known) {
    this.bytes = bytes;
    this.sequence = sequence;
    this.eventId = eventId;
    this.instanceId = instanceId;
    this.service = service;
    this.startedAtMs = startedAtMs;
    this.traceparent = traceparent;
  }

  decode(): SessionActivityEvent {
    return fromBinary(SessionActivityEventSchema, this.bytes);
  }
}
