import { type EventRecord, recordOf } from "../publishing/event-record.js";
import type { OpenEvent } from "./event.js";

/**
 * Encodes the event of a call, as it is known at this moment, with the number given. The bytes are those that protobuf-es writes
 * for the same event: a test compares both for each field of the schema. A new field must be added here.
 *
 * By hand, since that costs a fifth of making the message and having it encoded by protobuf-es 2.17, which compiles its
 * writers, and a ninth of it with 2.7, which does not: `npm run bench -- hot-path`.
 */
export function encodeEvent(event: OpenEvent, sequence: bigint): EventRecord {
  const mostBytes = mostBytesOf(event);
  if (mostBytes > scratch.length) scratch = Buffer.allocUnsafe(mostBytes);
  const length = write(event, sequence);
  const bytes = Buffer.allocUnsafe(length);
  scratch.copy(bytes, 0, 0, length);
  return recordOf(bytes, sequence, event);
}

/** Where events are written before their length is known. It grows to what the largest event needs, which bounds hold. */
let scratch: Buffer = Buffer.allocUnsafe(64 * 1024);

/** The most that all but the texts can take: tags, lengths, four times, two numbers, two booleans. */
const fixedBytes = 256;
/** The most that a map entry takes beside its texts. */
const entryBytes = 16;

/** At three bytes for a character: no UTF-16 unit takes more in UTF-8. */
function mostBytesOf(event: OpenEvent): number {
  let characters =
    event.eventId.length +
    event.encodedSessionContext.length +
    event.service.length +
    event.action.length +
    event.status.length +
    event.procedure.length +
    event.handlerStatus.length +
    event.instanceId.length +
    event.traceparent.length +
    event.contextProblem.length +
    event.markSignature.length;
  let entries = 0;
  for (const [name, value] of attributesOf(event)) {
    characters += name.length + value.length;
    entries += 1;
  }
  return characters * 3 + entries * entryBytes + fixedBytes;
}

const none: readonly [name: string, value: string][] = [];

function attributesOf({ attributes }: OpenEvent): readonly [name: string, value: string][] {
  return attributes === undefined ? none : Object.entries(attributes);
}

/** Writes to the scratch space, fields in the order of their numbers as protobuf-es does, and gives the length. */
function write(event: OpenEvent, sequence: bigint): number {
  const { startedAtMs, durationMs, timeoutMs } = event;
  const startedSeconds = Math.floor(startedAtMs / 1_000);
  const startedNanos = (startedAtMs % 1_000) * nanosPerMs;
  const durationNanos = durationMs === undefined ? undefined : Math.round(durationMs * nanosPerMs);
  let at = 0;
  at = text(at, 1, event.eventId);
  at = text(at, 2, event.encodedSessionContext);
  at = text(at, 3, event.service);
  at = text(at, 4, event.action);
  at = text(at, 5, event.status);
  if (durationNanos !== undefined) at = time(at, 6, 0, durationNanos);
  at = time(at, 7, startedSeconds, startedNanos);
  if (durationNanos !== undefined) at = time(at, 8, startedSeconds, startedNanos + durationNanos);
  at = text(at, 9, event.procedure);
  at = text(at, 10, event.handlerStatus);
  at = text(at, 11, event.instanceId);
  at = number(at, 12, Number(sequence));
  at = text(at, 13, event.traceparent);
  // 14 is `interrupted`, which no event of a call that reached its end has.
  at = number(at, 15, event.contextVerified ? 1 : 0);
  at = text(at, 16, event.contextProblem);
  at = text(at, 17, event.markSignature);
  for (const [name, value] of attributesOf(event)) at = entry(at, 18, name, value);
  if (timeoutMs !== undefined) {
    at = time(at, 19, Math.floor(timeoutMs / 1_000), Math.round((timeoutMs % 1_000) * nanosPerMs));
  }
  at = number(at, 20, event.statusInferred ? 1 : 0);
  at = number(at, 21, event.attempt);
  return at;
}

const nanosPerMs = 1_000_000;
const nanosPerSecond = 1_000_000_000;

const varintType = 0;
const lengthType = 2;

function tag(at: number, field: number, type: number): number {
  return varint(at, field * 8 + type);
}

/** A whole number up to 2^53. */
function varint(start: number, value: number): number {
  let at = start;
  let rest = value;
  while (rest > 127) {
    scratch[at++] = (rest % 128) + 128;
    rest = Math.floor(rest / 128);
  }
  scratch[at++] = rest;
  return at;
}

function number(at: number, field: number, value: number): number {
  return value === 0 ? at : varint(tag(at, field, varintType), value);
}

function text(at: number, field: number, value: string): number {
  return value === "" ? at : anyText(tag(at, field, lengthType), value);
}

/** Up to here, writing a text's characters one by one is faster than calling Node for it. */
const shortText = 64;

/** Length and text, also if it is empty. */
function anyText(at: number, value: string): number {
  const end = value.length <= shortText ? shortAscii(at, value) : at;
  if (end > at) return end;
  const length = Buffer.byteLength(value);
  const start = varint(at, length);
  scratch.write(value, start, length);
  return start + length;
}

/** Gives where it began if not all characters are ASCII. */
function shortAscii(start: number, value: string): number {
  let at = start;
  scratch[at++] = value.length;
  for (let index = 0; index < value.length; index += 1) {
    const code = value.charCodeAt(index);
    if (code > 127) return start;
    scratch[at++] = code;
  }
  return at;
}

/** Duration or Timestamp: shorter than 128 bytes, so that its length takes one. There may be more nanoseconds than a second has. */
function time(at: number, field: number, seconds: number, nanos: number): number {
  const start = tag(at, field, lengthType) + 1;
  const wholeSeconds = seconds + Math.floor(nanos / nanosPerSecond);
  const end = number(number(start, 1, wholeSeconds), 2, nanos % nanosPerSecond);
  scratch[start - 1] = end - start;
  return end;
}

/** An entry of a map of texts. Key and value are written even if they are empty. */
function entry(at: number, field: number, name: string, value: string): number {
  const length = textBytes(name) + textBytes(value);
  const afterName = anyText(tag(varint(tag(at, field, lengthType), length), 1, lengthType), name);
  return anyText(tag(afterName, 2, lengthType), value);
}

/** Tag, length and text. */
function textBytes(value: string): number {
  const length = Buffer.byteLength(value);
  let lengthBytes = 1;
  for (let rest = length; rest > 127; rest = Math.floor(rest / 128)) lengthBytes += 1;
  return 1 + lengthBytes + length;
}
