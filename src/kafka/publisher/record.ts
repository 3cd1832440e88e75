import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type SessionActivityEvent,
  SessionActivityEventSchema,
} from "../../../gen/sessionactivity/v1/session_activity_pb.js";
import type { TroubleLog } from "../../base/log.js";
import type { NativeHeader } from "../client/kafka-client.js";
import { encodeEvent } from "./event-encoder.js";
import type { PublisherSettings } from "./publisher-options.js";

/** What is sent for one event. It has no time of its own: event time lives in the value. */
export interface KafkaRecord {
  readonly kind: "record";
  readonly value: Uint8Array;
  readonly key: RecordKey | undefined;
  readonly headers: readonly NativeHeader[];
  /** Of value and key: what the bound on bytes counts. */
  readonly bytes: number;
}

/** Bytes, or the empty string: the client takes empty bytes for no key at all. */
type RecordKey = Uint8Array | "";

const contentType: NativeHeader = { "content-type": "application/protobuf" };
const plainHeaders: readonly NativeHeader[] = [contentType];

/**
 * Makes the function that turns events into records. It throws if an event cannot be encoded.
 *
 * Every header value is a string, whatever the event holds: with any other, the client's `produce` throws and still sends.
 */
export function createRecordEncoder(
  settings: Pick<PublisherSettings, "key" | "cloudEvents">,
  log: TroubleLog,
): (event: SessionActivityEvent) => KafkaRecord {
  const headersOf = settings.cloudEvents ? cloudEventHeaders : defaultHeaders;
  const { key: userKey } = settings;
  return (event) => {
    const value = encodeEvent(event);
    const key = userKey === undefined ? undefined : keyOf(userKey, event, log);
    const bytes = key === undefined ? value.length : value.length + key.length;
    return { kind: "record", value, key, headers: headersOf(event), bytes };
  };
}

function defaultHeaders({ traceparent }: SessionActivityEvent): readonly NativeHeader[] {
  return hasText(traceparent) ? [contentType, { traceparent }] : plainHeaders;
}

function hasText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

const cloudEventConstants: readonly NativeHeader[] = [
  { ce_specversion: "1.0" },
  { ce_type: SessionActivityEventSchema.typeName },
];

/** CloudEvents 1.0, Kafka binding, binary mode. Its time is the call's beginning: the one that every event has. */
function cloudEventHeaders(event: SessionActivityEvent): readonly NativeHeader[] {
  const source = `/${encodeURIComponent(wellFormed(event.service))}`;
  const headers = [...defaultHeaders(event), ...cloudEventConstants, { ce_source: source }];
  if (hasText(event.eventId)) headers.push({ ce_id: event.eventId });
  const time = event.startedAt && timestampDate(event.startedAt);
  // No moment that a Date can hold: then without.
  if (time !== undefined && !Number.isNaN(time.getTime())) headers.push({ ce_time: time.toISOString() });
  return headers;
}

/** Half a surrogate pair becomes U+FFFD, as it does in the value: `encodeURIComponent` would throw. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\uFFFD");
}

function keyOf(
  userKey: (event: SessionActivityEvent) => unknown,
  event: SessionActivityEvent,
  log: TroubleLog,
): RecordKey | undefined {
  try {
    const key = userKey(event);
    // Bytes, since the client cuts a string at its first NUL.
    if (typeof key === "string") return key === "" ? "" : Buffer.from(key);
    if (key instanceof Promise) key.catch(() => {});
    if (key !== undefined)
      log.warn("kafka key", { got: typeof key }, "The key option returned no string: publishing without a key");
  } catch (error) {
    // Its message may quote the event, so only its name is told.
    const name = error instanceof Error ? error.name : typeof error;
    log.warn("kafka key", { error: name }, "The key option threw: publishing without a key");
  }
  return undefined;
}
