import { SessionActivityEventSchema } from "../../../gen/sessionactivity/v1/session_activity_pb.js";
import { errorName } from "../../base/errors.js";
import type { TroubleLog } from "../../base/log.js";
import type { EventRecord } from "../../publishing/event-record.js";
import type { RunRecord } from "../../publishing/run-record.js";
import type { NativeHeader } from "../client/kafka-client.js";
import type { KafkaTrouble } from "../client/kafka-troubles.js";
import type { KafkaRecord, RecordKey } from "../client/producer-link.js";
import { frameHeader, frameOf } from "../client/schema-frame.js";
import type { PublisherSettings } from "./publisher-options.js";

const contentType: NativeHeader = { "content-type": "application/protobuf" };
const plainHeaders: readonly NativeHeader[] = [contentType];

/**
 * Makes the function that gives an event its key and headers.
 *
 * Every header value is a string, as `isEventRecord` makes sure, or a Buffer: with any other, the client's `produce` throws and still sends.
 */
export function createKafkaRecords(
  settings: Pick<PublisherSettings, "key" | "cloudEvents" | "schemaId" | "schemaIdIn">,
  log: TroubleLog<KafkaTrouble>,
): (event: EventRecord) => KafkaRecord {
  const { key: userKey, schemaId, schemaIdIn } = settings;
  const plainHeadersOf = settings.cloudEvents ? cloudEventHeaders : defaultHeaders;
  const schemaHeader = schemaId === undefined || schemaIdIn === "prefix" ? undefined : frameHeader(schemaId);
  const prefix = schemaId === undefined || schemaIdIn === "header" ? undefined : frameOf(schemaId);
  const headersOf = (event: EventRecord): readonly NativeHeader[] =>
    schemaHeader === undefined ? plainHeadersOf(event) : [...plainHeadersOf(event), schemaHeader];
  return (event) => {
    const value = prefix === undefined ? event.bytes : Buffer.concat([prefix, event.bytes]);
    const key = userKey === undefined ? undefined : keyOf(userKey, event, log);
    const bytes = key === undefined ? value.length : value.length + key.length;
    return { value, key, headers: headersOf(event), bytes };
  };
}

/** A run's records share a partition, so that a reader of one partition sees them in their order. */
export function kafkaRecordOfRun({ instanceId, bytes: value }: RunRecord): KafkaRecord {
  const key = Buffer.from(instanceId);
  return { value, key, headers: plainHeaders, bytes: value.length + key.length };
}

function defaultHeaders({ traceparent }: EventRecord): readonly NativeHeader[] {
  return traceparent === "" ? plainHeaders : [contentType, { traceparent }];
}

const cloudEventConstants: readonly NativeHeader[] = [
  { ce_specversion: "1.0" },
  { ce_type: SessionActivityEventSchema.typeName },
];

/** CloudEvents 1.0, Kafka binding, binary mode. Its time is the call's beginning: the one that every event has. */
function cloudEventHeaders(event: EventRecord): readonly NativeHeader[] {
  const source = `/${encodeURIComponent(wellFormed(event.service))}`;
  const headers = [...defaultHeaders(event), ...cloudEventConstants, { ce_source: source }];
  if (event.eventId !== "") headers.push({ ce_id: event.eventId });
  const time = new Date(event.startedAtMs ?? Number.NaN);
  // No moment that a Date can hold: then without.
  if (!Number.isNaN(time.getTime())) headers.push({ ce_time: time.toISOString() });
  return headers;
}

/** Half a surrogate pair becomes U+FFFD, as it does in the value: `encodeURIComponent` would throw. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\uFFFD");
}

function keyOf(
  userKey: NonNullable<PublisherSettings["key"]>,
  event: EventRecord,
  log: TroubleLog<KafkaTrouble>,
): RecordKey | undefined {
  try {
    const key: unknown = userKey(event.decode());
    // Bytes, since the client cuts a string at its first NUL.
    if (typeof key === "string") return key === "" ? "" : Buffer.from(key);
    if (key instanceof Promise) key.catch(() => {});
    if (key !== undefined)
      log.warn("key_failed", { got: typeof key }, "The key option returned no string: publishing without a key");
  } catch (error) {
    // Its message may quote the event, so only its name is told.
    log.warn("key_failed", { error: errorName(error) }, "The key option threw: publishing without a key");
  }
  return undefined;
}
