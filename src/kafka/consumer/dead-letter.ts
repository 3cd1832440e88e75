import type { KafkaRecord } from "../client/producer-link.js";
import type { SessionActivityRecord } from "./consumed-record.js";
import type { InvalidReason } from "./consumer-stats.js";

/** The headers that a dead letter has besides those of its record. */
export const deadLetterHeaders = {
  reason: "dead-letter-reason",
  topic: "dead-letter-origin-topic",
  partition: "dead-letter-origin-partition",
  offset: "dead-letter-origin-offset",
  /** What of the record is left out, since the topic does not take it whole. */
  omitted: "dead-letter-omitted",
  /** How large the value was that is left out. */
  valueBytes: "dead-letter-value-bytes",
} as const;

/** A part of a record that a dead letter may lack. */
type Part = "value" | "key" | "headers";

/** What is left out in turn, until the topic takes it. */
const omissions: readonly (readonly Part[])[] = [[], ["value"], ["value", "key", "headers"]];

/** A record as a dead letter: whole, and then with ever less of what may be too large. Each form says where it came from, and why. */
export function formsOf(record: SessionActivityRecord, reason: InvalidReason): KafkaRecord[] {
  return omissions.map((omitted) => formOf(record, reason, omitted));
}

function formOf(record: SessionActivityRecord, reason: InvalidReason, omitted: readonly Part[]): KafkaRecord {
  const value = omitted.includes("value") ? undefined : record.value;
  const key = omitted.includes("key") ? undefined : record.key;
  const headers = omitted.includes("headers") ? [] : record.headers;
  return {
    value: value === undefined ? null : bufferOf(value),
    // An empty key stays one.
    key: key?.length === 0 ? "" : key && bufferOf(key),
    headers: [
      ...headers.map((header) => ({ [header.key]: Buffer.from(header.value) })),
      { [deadLetterHeaders.reason]: reason },
      { [deadLetterHeaders.topic]: record.topic },
      { [deadLetterHeaders.partition]: `${record.partition}` },
      { [deadLetterHeaders.offset]: `${record.offset}` },
      ...(omitted.length === 0
        ? []
        : [
            { [deadLetterHeaders.omitted]: omitted.join() },
            { [deadLetterHeaders.valueBytes]: `${record.value?.length ?? 0}` },
          ]),
    ],
    bytes: (value?.length ?? 0) + (key?.length ?? 0),
  };
}

/** The client takes Buffers only, and for a header of another kind it throws *and* sends. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
