import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import {
  type SessionActivityEvent,
  SessionActivityEventSchema,
  type SessionContext,
  SessionContextSchema,
} from "../../gen/sessionactivity/v1/session_activity_pb.js";
import type { SessionActivityRun } from "../../gen/sessionactivity/v1/session_activity_run_pb.js";
import { type SchemaFrame, unframe } from "../kafka/client/schema-frame.js";
import { decodeRun } from "./run-text.js";

/** How bytes were written down. */
type Encoding = "raw" | "hex" | "base64";

/** What bytes say. */
export type Decoded = DecodedContent & {
  readonly encoding: Encoding;
  /** The frame of a Schema Registry that they had. */
  readonly frame: SchemaFrame | undefined;
  /** How many there were, with the frame. */
  readonly bytes: number;
};

type DecodedContent =
  | { readonly kind: "event"; readonly event: SessionActivityEvent }
  | { readonly kind: "run"; readonly run: SessionActivityRun }
  | { readonly kind: "context"; readonly context: SessionContext };

/**
 * Decodes the value of a record or a session context, written down in whatever way. Undefined if it is none of these. Digits can
 * be base64, too: what decodes first counts, and an event or context of one way of writing is hardly ever one of another.
 */
export function decodeBytes(input: Buffer): Decoded | undefined {
  for (const { encoding, bytes } of readings(input)) {
    const { payload, frame } = unframe(bytes, []);
    const content = contentOf(payload);
    if (content !== undefined) return { ...content, encoding, frame, bytes: bytes.length };
  }
  return undefined;
}

function readings(input: Buffer): readonly { readonly encoding: Encoding; readonly bytes: Buffer }[] {
  const text = /^[\x20-\x7e\s]*$/.test(input.toString("latin1")) ? input.toString("latin1").trim() : "";
  const digits = text.replace(/^0x/i, "").replaceAll(/[\s:]/g, "");
  const isHex = digits !== "" && /^([\da-f]{2})+$/i.test(digits);
  const base64 = text.replaceAll(/\s/g, "").replaceAll("-", "+").replaceAll("_", "/");
  const isBase64 = base64 !== "" && /^[A-Za-z\d+/]+={0,2}$/.test(base64);
  return [
    ...(isHex ? [{ encoding: "hex" as const, bytes: Buffer.from(digits, "hex") }] : []),
    ...(isBase64 ? [{ encoding: "base64" as const, bytes: Buffer.from(base64, "base64") }] : []),
    { encoding: "raw", bytes: input },
  ];
}

/** An event has an id and says when it began; what only looks like one has fields that no event knows. */
function contentOf(payload: Uint8Array): DecodedContent | undefined {
  const run = decodeRun(payload);
  if (run !== undefined) return { kind: "run", run };
  const event = decode(SessionActivityEventSchema, payload);
  const context = decode(SessionContextSchema, payload);
  if (event !== undefined && event.eventId !== "" && event.startedAt !== undefined) return { kind: "event", event };
  if (context !== undefined && context.$unknown === undefined && payload.length > 0)
    return { kind: "context", context };
  if (event !== undefined && event.eventId !== "") return { kind: "event", event };
  return undefined;
}

function decode<Schema extends DescMessage>(schema: Schema, bytes: Uint8Array): MessageShape<Schema> | undefined {
  try {
    return fromBinary(schema, bytes);
  } catch {
    return undefined;
  }
}
