import { defaultTopic, topicOption } from "../client/client-options.js";
import type { NativeMessage } from "../client/kafka-client.js";
import type { KafkaRecord } from "../client/producer-link.js";
import { recordOf, type SessionActivityHeader, type SessionActivityRecord } from "./consumed-record.js";
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

/** A dead letter that was read. Anybody who may write to the topic may have made it up. */
export interface DeadLetter {
  /** The letter itself, as it stands on its own topic. */
  readonly record: SessionActivityRecord;
  /** Where its record stood. Undefined if it does not say. */
  readonly origin: { readonly topic: string; readonly partition: number; readonly offset: number } | undefined;
  /** Why it was set aside. Undefined if it does not say so in a word. */
  readonly reason: string | undefined;
  /** How large the value of its record is. */
  readonly valueBytes: number;
  /** Whether a part of its record is left out. */
  readonly isPartial: boolean;
}

const aTopic = topicOption({ meaning: "A topic", byDefault: defaultTopic });

/** Reads a dead letter. */
export function readDeadLetter(message: NativeMessage): DeadLetter {
  const record = recordOf(message);
  // A header of the record itself may have the same name: the last one is that of the letter.
  const header = (name: string, pattern: RegExp): string | undefined => {
    const last = record.headers.findLast(({ key }) => key === name);
    const text = last && Buffer.from(last.value).toString();
    return text !== undefined && pattern.test(text) ? text : undefined;
  };
  const topic = aTopic.read(header(deadLetterHeaders.topic, /^/));
  const partition = header(deadLetterHeaders.partition, wholeNumber);
  const offset = header(deadLetterHeaders.offset, wholeNumber);
  return {
    record,
    origin:
      topic === undefined || partition === undefined || offset === undefined
        ? undefined
        : { topic, partition: Number(partition), offset: Number(offset) },
    reason: header(deadLetterHeaders.reason, /^[a-z_]{1,64}$/),
    valueBytes: Number(header(deadLetterHeaders.valueBytes, wholeNumber) ?? record.value?.length ?? 0),
    isPartial: header(deadLetterHeaders.omitted, /^/) !== undefined,
  };
}

const wholeNumber = /^\d{1,15}$/;
const ownHeaders: ReadonlySet<string> = new Set(Object.values(deadLetterHeaders));

/** The record that a dead letter holds, as it was. */
export function originalOf({ record: { key, value, headers } }: DeadLetter): KafkaRecord {
  return kafkaRecordOf(
    key,
    value,
    headers.filter((header) => !ownHeaders.has(header.key)),
  );
}

function formOf(record: SessionActivityRecord, reason: InvalidReason, omitted: readonly Part[]): KafkaRecord {
  const value = omitted.includes("value") ? undefined : record.value;
  const key = omitted.includes("key") ? undefined : record.key;
  const headers = omitted.includes("headers") ? [] : record.headers;
  const own = [
    [deadLetterHeaders.reason, reason],
    [deadLetterHeaders.topic, record.topic],
    [deadLetterHeaders.partition, record.partition],
    [deadLetterHeaders.offset, record.offset],
    ...(omitted.length === 0
      ? []
      : [
          [deadLetterHeaders.omitted, omitted.join()],
          [deadLetterHeaders.valueBytes, record.value?.length ?? 0],
        ]),
  ].map(([name, text]) => ({ key: `${name}`, value: Buffer.from(`${text}`) }));
  return kafkaRecordOf(key, value, [...headers, ...own]);
}

function kafkaRecordOf(
  key: Uint8Array | undefined,
  value: Uint8Array | undefined,
  headers: readonly SessionActivityHeader[],
): KafkaRecord {
  return {
    value: value === undefined ? null : bufferOf(value),
    // An empty key stays one.
    key: key?.length === 0 ? "" : key && bufferOf(key),
    headers: headers.map((header) => ({ [header.key]: bufferOf(header.value) })),
    bytes: (value?.length ?? 0) + (key?.length ?? 0),
  };
}

/** The client takes Buffers only, and for a header of another kind it throws *and* sends. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
