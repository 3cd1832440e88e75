import type { Option } from "../../base/options.js";
import type { NativeHeader } from "./kafka-client.js";

/** Which schema of a Schema Registry a record is of: the number of Confluent's registry, or its GUID. */
export type SchemaId = number | string;

/** The header that says which schema the value is of, as `@confluentinc/schemaregistry` names it. */
export const schemaIdHeader = "__value_schema_id";

/** What a value's frame says. */
export interface SchemaFrame {
  readonly schemaId: SchemaId;
  /** Whether it stands before the value, or in the header. */
  readonly in: "prefix" | "header";
  /** The way to the message in the schema: the first one is `[0]`. */
  readonly messageIndexes: readonly number[];
}

/** A value without its frame. */
export interface Unframed {
  readonly payload: Uint8Array;
  /** Undefined if there is none. */
  readonly frame: SchemaFrame | undefined;
}

const guidPattern = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;
const maxSchemaId = 2_147_483_647;

/** The option that says which schema the events are of. */
export const schemaIdOption: Option<SchemaId | undefined> = {
  meaning: "The id of the event's schema in a Schema Registry",
  expects: `the number of a schema from 1 to ${maxSchemaId}, or its GUID`,
  defaultText: "none: records name no schema",
  variable: "KAFKA_SCHEMA_ID",
  read: (value) => (isSchemaNumber(value) || isGuid(value) ? value : undefined),
  parse: (given) => (/^\d{1,10}$/.test(given) ? Number(given) : given),
};

function isSchemaNumber(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= maxSchemaId;
}

function isGuid(value: unknown): value is string {
  return typeof value === "string" && guidPattern.test(value);
}

// The formats of https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
const byNumber = 0;
const byGuid = 1;
const numberBytes = 4;
const guidBytes = 16;
/** The message indexes of the first message of a schema, as an event is of session_activity.proto, in their short form. */
const firstMessage = 0;

/** The frame of an event: magic byte, id, and message indexes. It stands before the value, or in the header. */
export function frameOf(schemaId: SchemaId): Buffer {
  if (typeof schemaId === "string") {
    return Buffer.concat([
      Buffer.of(byGuid),
      Buffer.from(schemaId.replaceAll("-", ""), "hex"),
      Buffer.of(firstMessage),
    ]);
  }
  const frame = Buffer.alloc(1 + numberBytes + 1);
  frame.writeInt32BE(schemaId, 1);
  return frame;
}

/** The frame as a header, which leaves the value as it is. */
export function frameHeader(schemaId: SchemaId): NativeHeader {
  return { [schemaIdHeader]: frameOf(schemaId) };
}

/**
 * Takes a value out of its frame. A value that begins with 0 or 1 has one: no protobuf message begins like this, since there is
 * no field with the number 0. If the frame itself is broken, the value stays as it is, and does not decode.
 */
export function unframe(
  value: Uint8Array,
  headers: Iterable<{ readonly key: string; readonly value: Uint8Array }>,
): Unframed {
  const prefix = readFrame(value);
  if (prefix !== undefined) {
    const { bytes, ...frame } = prefix;
    return { payload: value.subarray(bytes), frame: { ...frame, in: "prefix" } };
  }
  // The last one counts, as it does for the registry's own readers.
  const header = [...headers].findLast(({ key }) => key === schemaIdHeader);
  const inHeader = header && readFrame(header.value);
  if (inHeader === undefined) return { payload: value, frame: undefined };
  const { schemaId, messageIndexes } = inHeader;
  return { payload: value, frame: { schemaId, messageIndexes, in: "header" } };
}

/** Whether a frame, if there is one, is that of an event: the first message of its schema. */
export function isEventFrame(frame: SchemaFrame | undefined): boolean {
  return frame === undefined || (frame.messageIndexes.length === 1 && frame.messageIndexes[0] === 0);
}

interface ReadFrame extends Pick<SchemaFrame, "schemaId" | "messageIndexes"> {
  /** How long it is. */
  readonly bytes: number;
}

function readFrame(bytes: Uint8Array): ReadFrame | undefined {
  const [magic] = bytes;
  if (magic !== byNumber && magic !== byGuid) return undefined;
  const idBytes = magic === byNumber ? numberBytes : guidBytes;
  if (bytes.length < 1 + idBytes) return undefined;
  const id = Buffer.from(bytes.buffer, bytes.byteOffset + 1, idBytes);
  const indexes = readIndexes(bytes, 1 + idBytes);
  if (indexes === undefined) return undefined;
  return {
    schemaId: magic === byNumber ? id.readInt32BE() : guidOf(id),
    messageIndexes: indexes.values,
    bytes: indexes.end,
  };
}

function guidOf(id: Buffer): string {
  return id.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** How deep messages are nested at most. A stranger's count of millions is not believed. */
const maxIndexes = 32;

function readIndexes(
  bytes: Uint8Array,
  start: number,
): { readonly values: readonly number[]; readonly end: number } | undefined {
  const count = readVarint(bytes, start);
  if (count === undefined || count.value < 0 || count.value > maxIndexes) return undefined;
  if (count.value === 0) return { values: [0], end: count.end };
  const values: number[] = [];
  let { end } = count;
  while (values.length < count.value) {
    const index = readVarint(bytes, end);
    if (index === undefined) return undefined;
    values.push(index.value);
    ({ end } = index);
  }
  return { values, end };
}

/** A signed number in zigzag form, as Avro and the registry write it. Of more than 4 bytes it is none of ours. */
function readVarint(bytes: Uint8Array, start: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let index = 0; index < 4; index++) {
    const byte = bytes[start + index];
    if (byte === undefined) return undefined;
    value |= (byte & 0x7f) << (7 * index);
    if (byte < 0x80) return { value: (value >>> 1) ^ -(value & 1), end: start + index + 1 };
  }
  return undefined;
}
